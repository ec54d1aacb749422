module @jit_sharded_loss attributes {mhlo.num_partitions = 8 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=2, "b"=4]> {stablehlo.mesh = {axes = [{name = "a", size = 2 : i64}, {name = "b", size = 4 : i64}]}}
  func.func public @main(%arg0: tensor<8x16xf32>) -> (tensor<8x16xf32> {jax.result_info = "result"}) {
    %0 = call @"<lambda>"(%arg0) : (tensor<8x16xf32>) -> tensor<32x4xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %1 = call @"<lambda>_0"(%arg0, %0, %cst) : (tensor<8x16xf32>, tensor<32x4xf32>, tensor<f32>) -> tensor<8x16xf32>
    return %1 : tensor<8x16xf32>
  }
  func.func private @"<lambda>"(%arg0: tensor<8x16xf32>) -> tensor<32x4xf32> {
    %0 = sdy.manual_computation(%arg0) in_shardings=[<@mesh, [{"a"}, {"b"}]>] out_shardings=[<@mesh, [{"a", "b"}, {}]>] manual_axes={"a", "b"} (%arg1: tensor<4x4xf32>) {
      %1 = stablehlo.multiply %arg1, %arg1 : tensor<4x4xf32>
      sdy.return %1 : tensor<4x4xf32>
    } : (tensor<8x16xf32>) -> tensor<32x4xf32>
    return %0 : tensor<32x4xf32>
  }
  func.func private @"<lambda>_0"(%arg0: tensor<8x16xf32>, %arg1: tensor<32x4xf32>, %arg2: tensor<f32>) -> tensor<8x16xf32> {
    %0 = sdy.manual_computation(%arg2, %arg0, %arg1) in_shardings=[<@mesh, []>, <@mesh, [{"a"}, {"b"}]>, <@mesh, [{"a", "b"}, {}]>] out_shardings=[<@mesh, [{"a"}, {"b"}]>] manual_axes={"a", "b"} (%arg3: tensor<f32>, %arg4: tensor<4x4xf32>, %arg5: tensor<4x4xf32>) {
      %1 = stablehlo.broadcast_in_dim %arg3, dims = [] : (tensor<f32>) -> tensor<4x4xf32>
      %2 = stablehlo.multiply %arg5, %1 : tensor<4x4xf32>
      %3 = stablehlo.multiply %1, %arg4 : tensor<4x4xf32>
      %4 = stablehlo.multiply %arg4, %3 : tensor<4x4xf32>
      %5 = stablehlo.add %2, %4 : tensor<4x4xf32>
      %6 = stablehlo.multiply %3, %arg4 : tensor<4x4xf32>
      %7 = stablehlo.add %5, %6 : tensor<4x4xf32>
      sdy.return %7 : tensor<4x4xf32>
    } : (tensor<f32>, tensor<8x16xf32>, tensor<32x4xf32>) -> tensor<8x16xf32>
    return %0 : tensor<8x16xf32>
  }
}
