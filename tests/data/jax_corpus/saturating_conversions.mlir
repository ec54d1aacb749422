module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<20xf32>) -> (tensor<20xi8> {jax.result_info = "result[0]"}, tensor<20xui8> {jax.result_info = "result[1]"}, tensor<20xi32> {jax.result_info = "result[2]"}) {
    %0 = stablehlo.convert %arg0 : (tensor<20xf32>) -> tensor<20xi8>
    %1 = stablehlo.convert %arg0 : (tensor<20xf32>) -> tensor<20xui8>
    %2 = stablehlo.convert %arg0 : (tensor<20xf32>) -> tensor<20xi32>
    return %0, %1, %2 : tensor<20xi8>, tensor<20xui8>, tensor<20xi32>
  }
}
