// expect: ok
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xcomplex<f32>>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf64>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf64>) -> tensor<2x3xcomplex<f32>>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xcomplex<f32>>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x4xcomplex<f32>>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xcomplex<f64>>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: I1
func.func @f(%a: tensor<2x3xi32>, %b: tensor<2x3xi32>) {
  %r = "stablehlo.complex"(%a, %b) : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xcomplex<f32>>
  func.return
}
