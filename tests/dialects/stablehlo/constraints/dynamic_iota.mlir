// expect: ok
func.func @f() {
  %s = stablehlo.constant dense<[4, 5]> : tensor<2xi64>
  %r = "stablehlo.dynamic_iota"(%s) <{iota_dimension = 0 : i64}> : (tensor<2xi64>) -> tensor<4x5xi64>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %s = stablehlo.constant dense<[4, 5]> : tensor<2xi64>
  %r = "stablehlo.dynamic_iota"(%s) <{iota_dimension = 2 : i64}> : (tensor<2xi64>) -> tensor<4x5xi64>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %s = stablehlo.constant dense<[4, 5]> : tensor<2xi64>
  %r = "stablehlo.dynamic_iota"(%s) <{iota_dimension = -1 : i64}> : (tensor<2xi64>) -> tensor<4x5xi64>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %s = stablehlo.constant dense<[4, 5]> : tensor<2xi64>
  %r = "stablehlo.dynamic_iota"(%s) <{iota_dimension = 0 : i64}> : (tensor<2xi64>) -> tensor<4xi64>
  func.return
}
