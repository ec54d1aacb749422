// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{expected a storage type like i8 or u8, got i3}}
func.func @f(%a: tensor<2x!quant.uniform<i3:f32, 1.0>>) { return }

// -----

// expected-error @below {{expressed type i8 must be f16, bf16, f32 or f64}}
func.func @f(%a: tensor<2x!quant.uniform<i8:i8, 1.0>>) { return }

// -----

// expected-error @below {{C3: storage range -129:3 of i8 (-128:127)}}
func.func @f(%a: tensor<2x!quant.uniform<i8<-129:3>:f32, 1.0>>) { return }

// -----

// expected-error @below {{C5: the scale 1e-60 is not positive as f32}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0e-60>>) { return }

// -----

// expected-error @below {{C6: the scale 1e+60 is not finite as f32}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0e+60>>) { return }

// -----

// expected-error @below {{C7: the zero point 200 lies outside of -128:127}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0:200>>) { return }

// -----

// expected-error @below {{C10: 2 scales, and no dimension that they belong to}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32, {1.0, 2.0}>>) { return }

// -----

// expected-error @below {{scales of a dimension are written in braces}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32:0, 1.0>>) { return }

// -----

// expected-error @below {{C12: the dimension 3 of a tensor of rank 1}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32:3, {1.0, 2.0}>>) { return }

// -----

// expected-error @below {{C13: 3 scales for the 2 indices of dimension 0}}
func.func @f(%a: tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0, 3.0}>>) { return }

// -----

func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @below {{I1: operand has type tensor<2x!quant.uniform<i8:f32, 1.0>>, which must be not quantized}}
  %r = stablehlo.convert %a : (tensor<2x!quant.uniform<i8:f32, 1.0>>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @below {{I1: lhs has element type !quant.uniform<i8:f32, 1.0>, expected boolean or signed integer or unsigned integer}}
  %r = stablehlo.xor %a, %a : tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%a: tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>) {
  // expected-error @below {{I1: operand has type tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>, which must be per tensor}}
  %r = stablehlo.tanh %a : tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>
  return
}

// -----

func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>, %b: tensor<2x!quant.uniform<i8<-100:100>:f32, 1.0>>) {
  // expected-error @below {{C1: rhs has type tensor<2x!quant.uniform<i8<-100:100>:f32, 1.0>>, expected tensor<2x!quant.uniform<i8:f32, 1.0>> but for scales and zero points}}
  %r = "stablehlo.multiply"(%a, %b) : (tensor<2x!quant.uniform<i8:f32, 1.0>>, tensor<2x!quant.uniform<i8<-100:100>:f32, 1.0>>) -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%a: tensor<2x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @below {{I1: operand has type tensor<2x!quant.uniform<i8:f32, 1.0>>, which must be not quantized}}
  %r = chlo.tan %a : tensor<2x!quant.uniform<i8:f32, 1.0>> -> tensor<2x!quant.uniform<i8:f32, 1.0>>
  return
}
