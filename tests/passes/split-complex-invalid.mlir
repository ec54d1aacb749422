// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --split-complex

func.func @remainder(%x: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  // expected-error @below {{'stablehlo.remainder' op is not supported: not lowered on complex numbers}}
  %0 = stablehlo.remainder %x, %x : tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}

// -----

func.func @unknown_call(%x: tensor<4xcomplex<f32>>) -> tensor<4xf32> {
  // expected-error @below {{not lowered on complex numbers}}
  %0 = stablehlo.custom_call @mystery(%x) : (tensor<4xcomplex<f32>>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @in_a_region(%x: tensor<4xcomplex<f32>>, %p: tensor<i1>) -> tensor<4xcomplex<f32>> {
  %0 = "stablehlo.if"(%p) ({
    // expected-error @below {{'stablehlo.fft' op is not supported: not lowered on complex numbers}}
    %1 = stablehlo.fft %x, type = FFT, length = [4] : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
    stablehlo.return %1 : tensor<4xcomplex<f32>>
  }, {
    stablehlo.return %x : tensor<4xcomplex<f32>>
  }) : (tensor<i1>) -> tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}

// -----

// expected-error @below {{'func.func' op @dynamic_argument is not supported: dynamic shape tensor<?xcomplex<f32>>}}
func.func @dynamic_argument(%x: tensor<?xcomplex<f32>>) -> tensor<?xcomplex<f32>> {
  return %x : tensor<?xcomplex<f32>>
}

// -----

func.func @dynamic_result(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @below {{'stablehlo.convert' op is not supported: dynamic shape tensor<?xcomplex<f32>>}}
  %0 = stablehlo.convert %x : (tensor<?xf32>) -> tensor<?xcomplex<f32>>
  %1 = stablehlo.abs %0 : (tensor<?xcomplex<f32>>) -> tensor<?xf32>
  return %1 : tensor<?xf32>
}
