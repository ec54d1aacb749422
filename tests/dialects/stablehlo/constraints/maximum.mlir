// expect: ok
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.maximum"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>) {
  %r = "stablehlo.maximum"(%a, %b) : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf64>) {
  %r = "stablehlo.maximum"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf64>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.maximum"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.maximum"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf64>
  func.return
}
