module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<6xf64>) -> (tensor<6xf32> {jax.result_info = "result[0]"}, tensor<6xf16> {jax.result_info = "result[1]"}, tensor<6xbf16> {jax.result_info = "result[2]"}) {
    %0 = stablehlo.convert %arg0 : (tensor<6xf64>) -> tensor<6xf32>
    %1 = stablehlo.convert %arg0 : (tensor<6xf64>) -> tensor<6xf16>
    %2 = stablehlo.convert %arg0 : (tensor<6xf64>) -> tensor<6xbf16>
    return %0, %1, %2 : tensor<6xf32>, tensor<6xf16>, tensor<6xbf16>
  }
}
