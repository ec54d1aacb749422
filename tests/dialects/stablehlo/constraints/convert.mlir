// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.convert"(%x) : (tensor<2x3xf32>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.convert"(%x) : (tensor<2x3xf32>) -> tensor<3x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.convert"(%x) : (tensor<2x3xf32>) -> tensor<6xi32>
  func.return
}
