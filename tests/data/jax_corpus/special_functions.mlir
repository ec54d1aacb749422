module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<16xf32>) -> (tensor<16xf32> {jax.result_info = "result[0]"}, tensor<16xf32> {jax.result_info = "result[1]"}, tensor<16xf32> {jax.result_info = "result[2]"}) {
    %0 = chlo.lgamma %arg0 : tensor<16xf32> -> tensor<16xf32>
    %1 = chlo.digamma %arg0 : tensor<16xf32> -> tensor<16xf32>
    %2 = stablehlo.tanh %arg0 : tensor<16xf32>
    %3 = chlo.erf_inv %2 : tensor<16xf32> -> tensor<16xf32>
    return %0, %1, %3 : tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
  }
}
