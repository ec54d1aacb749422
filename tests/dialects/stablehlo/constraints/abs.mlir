// expect: ok
func.func @f(%operand: tensor<2x3xf32>) {
  %r = "stablehlo.abs"(%operand) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%operand: tensor<2x3xf32>) {
  %r = "stablehlo.abs"(%operand) : (tensor<2x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%operand: tensor<2x3xf32>) {
  %r = "stablehlo.abs"(%operand) : (tensor<2x3xf32>) -> tensor<2x3xf64>
  func.return
}
