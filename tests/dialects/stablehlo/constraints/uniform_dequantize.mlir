// expect: ok
func.func @f(%x: tensor<2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.uniform_dequantize"(%x) : (tensor<2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.uniform_dequantize"(%x) : (tensor<2x!quant.uniform<i8:f32, 0.5>>) -> tensor<3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.uniform_dequantize"(%x) : (tensor<2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2xf64>
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2xf32>) {
  %r = "stablehlo.uniform_dequantize"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}
