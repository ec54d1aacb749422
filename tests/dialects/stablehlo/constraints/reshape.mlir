// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reshape"(%x) : (tensor<2x3xf32>) -> tensor<6xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reshape"(%x) : (tensor<2x3xf32>) -> tensor<6xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reshape"(%x) : (tensor<2x3xf32>) -> tensor<5xf32>
  func.return
}
