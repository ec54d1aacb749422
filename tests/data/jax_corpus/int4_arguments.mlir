module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8xi4>) -> (tensor<8xi4> {jax.result_info = "result[0]"}, tensor<8xi4> {jax.result_info = "result[1]"}, tensor<4x2xi4> {jax.result_info = "result[2]"}) {
    %0 = stablehlo.add %arg0, %arg0 : tensor<8xi4>
    %1 = stablehlo.reverse %arg0, dims = [0] : tensor<8xi4>
    %2 = stablehlo.reshape %arg0 : (tensor<8xi4>) -> tensor<2x4xi4>
    %3 = stablehlo.transpose %2, dims = [1, 0] : (tensor<2x4xi4>) -> tensor<4x2xi4>
    return %0, %1, %3 : tensor<8xi4>, tensor<8xi4>, tensor<4x2xi4>
  }
}
