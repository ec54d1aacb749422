// expect: ok
func.func @f(%t: !stablehlo.token) {
  %r:2 = "stablehlo.infeed"(%t) <{infeed_config = ""}> : (!stablehlo.token) -> (tensor<2x2xi64>, !stablehlo.token)
  func.return
}

// -----

// expect: C1
func.func @f(%t: !stablehlo.token) {
  "stablehlo.infeed"(%t) <{infeed_config = ""}> : (!stablehlo.token) -> ()
  func.return
}

// -----

// expect: C2
func.func @f(%t: !stablehlo.token) {
  %r:2 = "stablehlo.infeed"(%t) <{infeed_config = ""}> : (!stablehlo.token) -> (!stablehlo.token, !stablehlo.token)
  func.return
}

// -----

// expect: C3
func.func @f(%t: !stablehlo.token) {
  %r:2 = "stablehlo.infeed"(%t) <{infeed_config = ""}> : (!stablehlo.token) -> (tensor<2x2xi64>, tensor<2x2xi64>)
  func.return
}
