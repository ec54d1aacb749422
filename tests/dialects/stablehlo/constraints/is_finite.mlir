// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %y = "stablehlo.is_finite"(%x) : (tensor<2x3xf32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %y = "stablehlo.is_finite"(%x) : (tensor<2x3xf32>) -> tensor<3x2xi1>
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2x3xi32>) {
  %y = "stablehlo.is_finite"(%x) : (tensor<2x3xi32>) -> tensor<2x3xi1>
  func.return
}
