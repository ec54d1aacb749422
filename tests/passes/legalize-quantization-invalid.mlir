// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --legalize-quantization

func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @below {{'stablehlo.custom_call' op is not supported: no meaning on quantized operands}}
  %r = stablehlo.custom_call @x(%a) : (tensor<2x!quant.uniform<i8:f32, 1.0>>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x!quant.uniform<i64:f32, 1.0:3>>) {
  // expected-error @below {{zero points other than 0 of 64-bit integers}}
  %r = stablehlo.uniform_dequantize %a : (tensor<2x!quant.uniform<i64:f32, 1.0:3>>) -> tensor<2xf32>
  return
}
