module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x0xf32>) -> (tensor<0x0xf32> {jax.result_info = "result[0]"}, tensor<4x0xf32> {jax.result_info = "result[1]"}, tensor<0x0xf32> {jax.result_info = "result[2]"}, tensor<6x2xf32> {jax.result_info = "result[3]"}, tensor<4x0xi32> {jax.result_info = "result[4]"}) {
    %0 = stablehlo.transpose %arg0, dims = [1, 0] : (tensor<4x0xf32>) -> tensor<0x4xf32>
    %1 = stablehlo.dot_general %0, %arg0, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<0x4xf32>, tensor<4x0xf32>) -> tensor<0x0xf32>
    %2 = call @cumsum(%arg0) : (tensor<4x0xf32>) -> tensor<4x0xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %3 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<0xi32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %4 = stablehlo.broadcast_in_dim %c_0, dims = [] : (tensor<i32>) -> tensor<0xi32>
    %5 = stablehlo.compare LT, %3, %4, SIGNED : (tensor<0xi32>, tensor<0xi32>) -> tensor<0xi1>
    %c_1 = stablehlo.constant dense<4> : tensor<i32>
    %6 = stablehlo.broadcast_in_dim %c_1, dims = [] : (tensor<i32>) -> tensor<0xi32>
    %7 = stablehlo.add %3, %6 : tensor<0xi32>
    %8 = stablehlo.select %5, %7, %3 : tensor<0xi1>, tensor<0xi32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0] : (tensor<0xi32>) -> tensor<0x1xi32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %10 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<0x0xf32>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %11 = call @_pad(%arg0, %c_2) : (tensor<4x0xf32>, tensor<i32>) -> tensor<6x2xf32>
    %12 = call @argsort(%arg0) : (tensor<4x0xf32>) -> tensor<4x0xi32>
    return %1, %2, %10, %11, %12 : tensor<0x0xf32>, tensor<4x0xf32>, tensor<0x0xf32>, tensor<6x2xf32>, tensor<4x0xi32>
  }
  func.func private @cumsum(%arg0: tensor<4x0xf32>) -> tensor<4x0xf32> {
    %0 = call @cumsum_0(%arg0) : (tensor<4x0xf32>) -> tensor<4x0xf32>
    return %0 : tensor<4x0xf32>
  }
  func.func private @cumsum_0(%arg0: tensor<4x0xf32>) -> tensor<4x0xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<f32>
    %1 = "stablehlo.reduce_window"(%arg0, %0) <{base_dilations = array<i64: 1, 1>, padding = dense<[[3, 0], [0, 0]]> : tensor<2x2xi64>, window_dilations = array<i64: 1, 1>, window_dimensions = array<i64: 4, 1>, window_strides = array<i64: 1, 1>}> ({
    ^bb0(%arg1: tensor<f32>, %arg2: tensor<f32>):
      %2 = stablehlo.add %arg1, %arg2 : tensor<f32>
      stablehlo.return %2 : tensor<f32>
    }) : (tensor<4x0xf32>, tensor<f32>) -> tensor<4x0xf32>
    return %1 : tensor<4x0xf32>
  }
  func.func private @_pad(%arg0: tensor<4x0xf32>, %arg1: tensor<i32>) -> tensor<6x2xf32> {
    %0 = stablehlo.convert %arg1 : (tensor<i32>) -> tensor<f32>
    %1 = stablehlo.pad %arg0, %0, low = [1, 1], high = [1, 1], interior = [0, 0] : (tensor<4x0xf32>, tensor<f32>) -> tensor<6x2xf32>
    return %1 : tensor<6x2xf32>
  }
  func.func private @argsort(%arg0: tensor<4x0xf32>) -> tensor<4x0xi32> {
    %0 = stablehlo.iota dim = 1 : tensor<4x0xi32>
    %1:2 = "stablehlo.sort"(%arg0, %0) <{dimension = 1 : i64, is_stable = true}> ({
    ^bb0(%arg1: tensor<f32>, %arg2: tensor<f32>, %arg3: tensor<i32>, %arg4: tensor<i32>):
      %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
      %2 = stablehlo.compare EQ, %arg1, %cst, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
      %3 = stablehlo.select %2, %cst_0, %arg1 : tensor<i1>, tensor<f32>
      %4 = stablehlo.compare NE, %arg1, %arg1, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %cst_1 = stablehlo.constant dense<0x7FC00000> : tensor<f32>
      %5 = stablehlo.select %4, %cst_1, %3 : tensor<i1>, tensor<f32>
      %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
      %6 = stablehlo.compare EQ, %arg2, %cst_2, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %cst_3 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
      %7 = stablehlo.select %6, %cst_3, %arg2 : tensor<i1>, tensor<f32>
      %8 = stablehlo.compare NE, %arg2, %arg2, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %cst_4 = stablehlo.constant dense<0x7FC00000> : tensor<f32>
      %9 = stablehlo.select %8, %cst_4, %7 : tensor<i1>, tensor<f32>
      %10 = stablehlo.compare LT, %5, %9, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %10 : tensor<i1>
    }) : (tensor<4x0xf32>, tensor<4x0xi32>) -> (tensor<4x0xf32>, tensor<4x0xi32>)
    return %1#1 : tensor<4x0xi32>
  }
}
