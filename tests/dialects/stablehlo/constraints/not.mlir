// expect: ok
func.func @f(%x: tensor<2x3xi32>) {
  %r = "stablehlo.not"(%x) : (tensor<2x3xi32>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi32>) {
  %r = "stablehlo.not"(%x) : (tensor<2x3xi32>) -> tensor<2x4xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi32>) {
  %r = "stablehlo.not"(%x) : (tensor<2x3xi32>) -> tensor<2x3xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi32>) {
  %r = "stablehlo.not"(%x) : (tensor<2x3xi32>) -> tensor<6xi32>
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.not"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}
