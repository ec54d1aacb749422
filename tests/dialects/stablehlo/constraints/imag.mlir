// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xf32>) -> tensor<6xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf64>
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2x3xi32>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xi32>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<2x3xcomplex<f32>>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xcomplex<f32>>) {
  %r = "stablehlo.imag"(%x) : (tensor<2x3xcomplex<f32>>) -> tensor<2x3xcomplex<f32>>
  func.return
}
