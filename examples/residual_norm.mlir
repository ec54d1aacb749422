// y = (x + b) scaled by the reciprocal square root of its mean square, row by row (an RMS norm).
func.func public @main(%x: tensor<64x250xf32>, %b: tensor<250xf32>) -> tensor<64x250xf32> {
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %size = stablehlo.constant dense<250.0> : tensor<64xf32>
  %0 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<250xf32>) -> tensor<64x250xf32>
  %1 = stablehlo.add %x, %0 : tensor<64x250xf32>
  %2 = stablehlo.multiply %1, %1 : tensor<64x250xf32>
  %3 = stablehlo.reduce(%2 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<64x250xf32>, tensor<f32>) -> tensor<64xf32>
  %4 = stablehlo.divide %3, %size : tensor<64xf32>
  %5 = stablehlo.rsqrt %4 : tensor<64xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0] : (tensor<64xf32>) -> tensor<64x250xf32>
  %7 = stablehlo.multiply %1, %6 : tensor<64x250xf32>
  return %7 : tensor<64x250xf32>
}
