// expect: ok
func.func @f(%f: !stablehlo.future<tensor<4x2xf32>>) {
  %r = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4x2xf32>>) -> tensor<4x2xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%f: !stablehlo.future<tensor<4x2xf32>>) {
  %r = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4x2xf32>>) -> tensor<8x2xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%f: !stablehlo.future<tensor<4x2xf32>>) {
  %r:2 = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4x2xf32>>) -> (tensor<4x2xf32>, tensor<4x2xf32>)
  func.return
}
