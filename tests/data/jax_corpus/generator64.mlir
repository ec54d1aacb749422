module @jit_generator attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<ui64>) -> (tensor<ui64> {jax.result_info = "result[0]"}, tensor<10xui32> {jax.result_info = "result[1]"}) {
    %c = stablehlo.constant dense<0> : tensor<ui32>
    %0 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<ui32>) -> tensor<10xui32>
    %c_0 = stablehlo.constant dense<0> : tensor<i64>
    %1:3 = stablehlo.while(%iterArg = %c_0, %iterArg_1 = %arg0, %iterArg_2 = %0) : tensor<i64>, tensor<ui64>, tensor<10xui32>
    cond {
      %c_3 = stablehlo.constant dense<10> : tensor<i64>
      %2 = stablehlo.compare LT, %iterArg, %c_3, SIGNED : (tensor<i64>, tensor<i64>) -> tensor<i1>
      stablehlo.return %2 : tensor<i1>
    } do {
      %2:2 = func.call @closed_call(%iterArg_1) : (tensor<ui64>) -> (tensor<ui64>, tensor<ui32>)
      %3 = func.call @dynamic_update_index_in_dim(%iterArg_2, %2#1, %iterArg) : (tensor<10xui32>, tensor<ui32>, tensor<i64>) -> tensor<10xui32>
      %c_3 = stablehlo.constant dense<1> : tensor<i64>
      %4 = stablehlo.add %iterArg, %c_3 : tensor<i64>
      stablehlo.return %4, %2#0, %3 : tensor<i64>, tensor<ui64>, tensor<10xui32>
    }
    return %1#1, %1#2 : tensor<ui64>, tensor<10xui32>
  }
  func.func private @closed_call(%arg0: tensor<ui64>) -> (tensor<ui64>, tensor<ui32>) {
    %c = stablehlo.constant dense<6364136223846793005> : tensor<ui64>
    %0 = stablehlo.multiply %arg0, %c : tensor<ui64>
    %c_0 = stablehlo.constant dense<1442695040888963407> : tensor<ui64>
    %1 = stablehlo.add %0, %c_0 : tensor<ui64>
    %c_1 = stablehlo.constant dense<33> : tensor<ui64>
    %2 = stablehlo.shift_right_logical %1, %c_1 : tensor<ui64>
    %3 = stablehlo.convert %2 : (tensor<ui64>) -> tensor<ui32>
    return %1, %3 : tensor<ui64>, tensor<ui32>
  }
  func.func private @dynamic_update_index_in_dim(%arg0: tensor<10xui32>, %arg1: tensor<ui32>, %arg2: tensor<i64>) -> tensor<10xui32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<ui32>) -> tensor<1xui32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2 : (tensor<10xui32>, tensor<1xui32>, tensor<i64>) -> tensor<10xui32>
    return %1 : tensor<10xui32>
  }
}
