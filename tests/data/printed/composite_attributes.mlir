module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x16xf32>) -> (tensor<16xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.composite "my.op" %arg0 {composite_attributes = {dims = [0], name = "hi", table = dense<[0.000000e+00, 1.000000e+00, 2.000000e+00]> : tensor<3xf32>}, decomposition = @my.op, version = 3 : i32} : (tensor<8x16xf32>) -> tensor<16xf32>
    return %0 : tensor<16xf32>
  }
  func.func private @my.op(%arg0: tensor<8x16xf32>) -> tensor<16xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.add across dimensions = [0] : (tensor<8x16xf32>, tensor<f32>) -> tensor<16xf32>
    %cst_0 = stablehlo.constant dense<3.000000e+00> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %2 = stablehlo.add %0, %1 : tensor<16xf32>
    return %2 : tensor<16xf32>
  }
}
