// expect: ok
func.func @f(%x: tensor<2xf32>) {
  %r = "stablehlo.uniform_quantize"(%x) : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2xf32>) {
  %r = "stablehlo.uniform_quantize"(%x) : (tensor<2xf32>) -> tensor<3x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2xf32>) {
  %r = "stablehlo.uniform_quantize"(%x) : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f16, 0.5>>
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2xi32>) {
  %r = "stablehlo.uniform_quantize"(%x) : (tensor<2xi32>) -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.uniform_quantize"(%x) : (tensor<2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.uniform_quantize"(%x) : (tensor<2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x!quant.uniform<i8:f16, 0.5>>
  func.return
}
