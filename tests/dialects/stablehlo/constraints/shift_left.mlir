// expect: ok
func.func @f(%a: tensor<2x3xi32>, %b: tensor<2x3xi32>) {
  %r = "stablehlo.shift_left"(%a, %b) : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xi32>, %b: tensor<3x2xi32>) {
  %r = "stablehlo.shift_left"(%a, %b) : (tensor<2x3xi32>, tensor<3x2xi32>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xi32>, %b: tensor<2x3xi64>) {
  %r = "stablehlo.shift_left"(%a, %b) : (tensor<2x3xi32>, tensor<2x3xi64>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xi32>, %b: tensor<2x3xi32>) {
  %r = "stablehlo.shift_left"(%a, %b) : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x4xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xi32>, %b: tensor<2x3xi32>) {
  %r = "stablehlo.shift_left"(%a, %b) : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi64>
  func.return
}

// -----

// expect: I1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.shift_left"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}
