module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x16xf32>) -> (tensor<8x16xcomplex<f32>> {jax.result_info = "result[0]"}, tensor<8x9xcomplex<f32>> {jax.result_info = "result[1]"}, tensor<8x30xf32> {jax.result_info = "result[2]"}) {
    %0 = call @fft(%arg0) : (tensor<8x16xf32>) -> tensor<8x16xcomplex<f32>>
    %1 = call @fft_0(%arg0) : (tensor<8x16xf32>) -> tensor<8x9xcomplex<f32>>
    %2 = stablehlo.convert %arg0 : (tensor<8x16xf32>) -> tensor<8x16xcomplex<f32>>
    %cst = stablehlo.constant dense<(0.000000e+00,0.000000e+00)> : tensor<complex<f32>>
    %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<complex<f32>>) -> tensor<8x16xcomplex<f32>>
    %4 = stablehlo.add %2, %3 : tensor<8x16xcomplex<f32>>
    %5 = call @fft_1(%4) : (tensor<8x16xcomplex<f32>>) -> tensor<8x30xf32>
    return %0, %1, %5 : tensor<8x16xcomplex<f32>>, tensor<8x9xcomplex<f32>>, tensor<8x30xf32>
  }
  func.func private @fft(%arg0: tensor<8x16xf32>) -> tensor<8x16xcomplex<f32>> {
    %0 = stablehlo.convert %arg0 : (tensor<8x16xf32>) -> tensor<8x16xcomplex<f32>>
    %1 = stablehlo.fft %0, type = FFT, length = [16] : (tensor<8x16xcomplex<f32>>) -> tensor<8x16xcomplex<f32>>
    return %1 : tensor<8x16xcomplex<f32>>
  }
  func.func private @fft_0(%arg0: tensor<8x16xf32>) -> tensor<8x9xcomplex<f32>> {
    %0 = stablehlo.fft %arg0, type = RFFT, length = [8, 16] : (tensor<8x16xf32>) -> tensor<8x9xcomplex<f32>>
    return %0 : tensor<8x9xcomplex<f32>>
  }
  func.func private @fft_1(%arg0: tensor<8x16xcomplex<f32>>) -> tensor<8x30xf32> {
    %0 = stablehlo.fft %arg0, type = IRFFT, length = [30] : (tensor<8x16xcomplex<f32>>) -> tensor<8x30xf32>
    return %0 : tensor<8x30xf32>
  }
}
