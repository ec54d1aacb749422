// RUN: stepwell-opt %s --split-input-file --convert-stablehlo-to-linalg --verify-diagnostics

func.func @complex(%a: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  // expected-error @+1 {{'stablehlo.add' op is not supported: complex numbers are not lowered}}
  %0 = stablehlo.add %a, %a : tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}

// -----

// expected-error @+1 {{dynamic shape tensor<?xf32>}}
func.func @dynamic(%a: tensor<?xf32>) -> tensor<?xf32> {
  %0 = stablehlo.add %a, %a : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @custom(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'stablehlo.custom_call' op is not supported}}
  %0 = stablehlo.custom_call @mystery(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @complex_moved(%a: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  // expected-error @+1 {{'stablehlo.reverse' op is not supported: complex numbers are not lowered}}
  %0 = stablehlo.reverse %a, dims = [0] : tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}
