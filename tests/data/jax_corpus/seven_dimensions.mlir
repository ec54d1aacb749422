module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x3x1x2x3x2x2xf32>) -> (tensor<2x1x3x2x2x3x2xf32> {jax.result_info = "result[0]"}, tensor<2x1x2x2x2xf32> {jax.result_info = "result[1]"}) {
    %0 = stablehlo.transpose %arg0, dims = [6, 2, 4, 0, 5, 1, 3] : (tensor<2x3x1x2x3x2x2xf32>) -> tensor<2x1x3x2x2x3x2xf32>
    %cst = stablehlo.constant dense<2.000000e+00> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x1x3x2x2x3x2xf32>
    %2 = stablehlo.multiply %0, %1 : tensor<2x1x3x2x2x3x2xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %3 = stablehlo.reduce(%arg0 init: %cst_0) applies stablehlo.add across dimensions = [1, 4] : (tensor<2x3x1x2x3x2x2xf32>, tensor<f32>) -> tensor<2x1x2x2x2xf32>
    return %2, %3 : tensor<2x1x3x2x2x3x2xf32>, tensor<2x1x2x2x2xf32>
  }
}
