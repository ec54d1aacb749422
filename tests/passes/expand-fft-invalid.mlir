// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --expand-fft

func.func @dynamic(%x: tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>> {
  // expected-error @+1 {{'stablehlo.fft' op is not supported: dynamic shape tensor<?x8xcomplex<f32>>}}
  %0 = stablehlo.fft %x, type = FFT, length = [8] : (tensor<?x8xcomplex<f32>>) -> tensor<?x8xcomplex<f32>>
  return %0 : tensor<?x8xcomplex<f32>>
}
