// expect: ok
func.func @f(%p: tensor<2x3xi1>, %a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.select"(%p, %a, %b) : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%p: tensor<3xi1>, %a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.select"(%p, %a, %b) : (tensor<3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%p: tensor<2x3xi1>, %a: tensor<2x3xf32>, %b: tensor<2x3xi32>) {
  %r = "stablehlo.select"(%p, %a, %b) : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xi32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%p: tensor<2x3xi1>, %a: tensor<2x3xf32>, %b: tensor<3x2xf32>) {
  %r = "stablehlo.select"(%p, %a, %b) : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%p: tensor<2x3xi1>, %a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.select"(%p, %a, %b) : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf64>
  func.return
}

// -----

// expect: I1
func.func @f(%p: tensor<2x3xi32>, %a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.select"(%p, %a, %b) : (tensor<2x3xi32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}
