module @jit_nested attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<6xf32>, %arg1: tensor<5x4xf32>) -> (tensor<6xf32> {jax.result_info = "result[0][0]"}, tensor<f32> {jax.result_info = "result[0][1]"}, tensor<i32> {jax.result_info = "result[0][2]"}, tensor<5xf32> {jax.result_info = "result[1][0]"}, tensor<5xi32> {jax.result_info = "result[1][1]"}) {
    %cst = stablehlo.constant dense<3.000000e-01> : tensor<f32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.broadcast_in_dim %c_1, dims = [] : (tensor<i32>) -> tensor<5xi32>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %2:7 = stablehlo.while(%iterArg = %arg1, %iterArg_3 = %c_2, %iterArg_4 = %arg0, %iterArg_5 = %cst, %iterArg_6 = %c, %iterArg_7 = %0, %iterArg_8 = %1) : tensor<5x4xf32>, tensor<i32>, tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<5xf32>, tensor<5xi32>
    cond {
      %c_9 = stablehlo.constant dense<5> : tensor<i32>
      %3 = stablehlo.compare LT, %iterArg_3, %c_9, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %3 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_3) : (tensor<5x4xf32>, tensor<i32>) -> tensor<4xf32>
      %4:5 = func.call @closed_call(%iterArg_4, %iterArg_5, %iterArg_6, %3) : (tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<4xf32>) -> (tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<f32>, tensor<i32>)
      %5 = func.call @dynamic_update_index_in_dim(%iterArg_7, %4#3, %iterArg_3) : (tensor<5xf32>, tensor<f32>, tensor<i32>) -> tensor<5xf32>
      %6 = func.call @dynamic_update_index_in_dim_1(%iterArg_8, %4#4, %iterArg_3) : (tensor<5xi32>, tensor<i32>, tensor<i32>) -> tensor<5xi32>
      %c_9 = stablehlo.constant dense<1> : tensor<i32>
      %7 = stablehlo.add %iterArg_3, %c_9 : tensor<i32>
      stablehlo.return %iterArg, %7, %4#0, %4#1, %4#2, %5, %6 : tensor<5x4xf32>, tensor<i32>, tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<5xf32>, tensor<5xi32>
    }
    return %2#2, %2#3, %2#4, %2#5, %2#6 : tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<5xf32>, tensor<5xi32>
  }
  func.func private @dynamic_index_in_dim(%arg0: tensor<5x4xf32>, %arg1: tensor<i32>) -> tensor<4xf32> {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.dynamic_slice %arg0, %arg1, %c, sizes = [1, 4] : (tensor<5x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x4xf32>
    %1 = stablehlo.reshape %0 : (tensor<1x4xf32>) -> tensor<4xf32>
    return %1 : tensor<4xf32>
  }
  func.func private @closed_call(%arg0: tensor<6xf32>, %arg1: tensor<f32>, %arg2: tensor<i32>, %arg3: tensor<4xf32>) -> (tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<f32>, tensor<i32>) {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %0:6 = stablehlo.while(%iterArg = %arg3, %iterArg_3 = %arg1, %iterArg_4 = %arg2, %iterArg_5 = %c_0, %iterArg_6 = %c, %iterArg_7 = %arg0) : tensor<4xf32>, tensor<f32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<6xf32>
    cond {
      %c_8 = stablehlo.constant dense<4> : tensor<i32>
      %4 = stablehlo.compare LT, %iterArg_5, %c_8, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %4 : tensor<i1>
    } do {
      %4:2 = func.call @closed_call_0(%iterArg, %iterArg_3, %iterArg_4, %iterArg_6, %iterArg_7) : (tensor<4xf32>, tensor<f32>, tensor<i32>, tensor<i32>, tensor<6xf32>) -> (tensor<i32>, tensor<6xf32>)
      %c_8 = stablehlo.constant dense<1> : tensor<i32>
      %5 = stablehlo.add %iterArg_5, %c_8 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_3, %iterArg_4, %5, %4#0, %4#1 : tensor<4xf32>, tensor<f32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<6xf32>
    }
    %cst = stablehlo.constant dense<0.899999976> : tensor<f32>
    %1 = stablehlo.multiply %arg1, %cst : tensor<f32>
    %c_1 = stablehlo.constant dense<1> : tensor<i32>
    %2 = stablehlo.add %arg2, %c_1 : tensor<i32>
    %cst_2 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %3 = stablehlo.reduce(%0#5 init: %cst_2) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    return %0#5, %1, %2, %3, %arg2 : tensor<6xf32>, tensor<f32>, tensor<i32>, tensor<f32>, tensor<i32>
  }
  func.func private @closed_call_0(%arg0: tensor<4xf32>, %arg1: tensor<f32>, %arg2: tensor<i32>, %arg3: tensor<i32>, %arg4: tensor<6xf32>) -> (tensor<i32>, tensor<6xf32>) {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %0 = stablehlo.add %arg3, %c : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.compare LT, %arg3, %c_0, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %2 = stablehlo.convert %arg3 : tensor<i32>
    %c_1 = stablehlo.constant dense<4> : tensor<i32>
    %3 = stablehlo.add %2, %c_1 : tensor<i32>
    %4 = stablehlo.select %1, %3, %arg3 : tensor<i1>, tensor<i32>
    %5 = stablehlo.dynamic_slice %arg0, %4, sizes = [1] : (tensor<4xf32>, tensor<i32>) -> tensor<1xf32>
    %6 = stablehlo.reshape %5 : (tensor<1xf32>) -> tensor<f32>
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %7 = stablehlo.compare GT, %6, %cst, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %8 = stablehlo.convert %7 : (tensor<i1>) -> tensor<i32>
    %9 = "stablehlo.case"(%8) ({
      %c_2 = stablehlo.constant dense<3> : tensor<i32>
      %10 = func.call @remainder(%arg2, %c_2) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      %c_3 = stablehlo.constant dense<0> : tensor<i32>
      %c_4 = stablehlo.constant dense<2> : tensor<i32>
      %11 = stablehlo.clamp %c_3, %10, %c_4 : tensor<i32>
      %12 = "stablehlo.case"(%11) ({
        %cst_5 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
        %13 = stablehlo.broadcast_in_dim %cst_5, dims = [] : (tensor<f32>) -> tensor<6xf32>
        %14 = stablehlo.multiply %arg4, %13 : tensor<6xf32>
        stablehlo.return %14 : tensor<6xf32>
      }, {
        %cst_5 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
        %13 = stablehlo.broadcast_in_dim %cst_5, dims = [] : (tensor<f32>) -> tensor<6xf32>
        %14 = stablehlo.subtract %arg4, %13 : tensor<6xf32>
        stablehlo.return %14 : tensor<6xf32>
      }, {
        %13 = stablehlo.sine %arg4 : tensor<6xf32>
        stablehlo.return %13 : tensor<6xf32>
      }) : (tensor<i32>) -> tensor<6xf32>
      stablehlo.return %12 : tensor<6xf32>
    }, {
      %c_2 = stablehlo.constant dense<0> : tensor<i32>
      %10 = stablehlo.compare LT, %arg3, %c_2, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %11 = stablehlo.convert %arg3 : tensor<i32>
      %c_3 = stablehlo.constant dense<4> : tensor<i32>
      %12 = stablehlo.add %11, %c_3 : tensor<i32>
      %13 = stablehlo.select %10, %12, %arg3 : tensor<i1>, tensor<i32>
      %14 = stablehlo.dynamic_slice %arg0, %13, sizes = [1] : (tensor<4xf32>, tensor<i32>) -> tensor<1xf32>
      %15 = stablehlo.reshape %14 : (tensor<1xf32>) -> tensor<f32>
      %16 = stablehlo.multiply %15, %arg1 : tensor<f32>
      %17 = stablehlo.broadcast_in_dim %16, dims = [] : (tensor<f32>) -> tensor<6xf32>
      %18 = stablehlo.add %arg4, %17 : tensor<6xf32>
      stablehlo.return %18 : tensor<6xf32>
    }) : (tensor<i32>) -> tensor<6xf32>
    return %0, %9 : tensor<i32>, tensor<6xf32>
  }
  func.func private @remainder(%arg0: tensor<i32>, %arg1: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.convert %arg1 : tensor<i32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.compare EQ, %0, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %c_0 = stablehlo.constant dense<1> : tensor<i32>
    %2 = call @_where(%1, %c_0, %0) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    %3 = stablehlo.remainder %arg0, %2 : tensor<i32>
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %4 = stablehlo.compare NE, %3, %c_1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %5 = stablehlo.compare LT, %3, %c_2, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %c_3 = stablehlo.constant dense<0> : tensor<i32>
    %6 = stablehlo.compare LT, %2, %c_3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %7 = stablehlo.compare NE, %5, %6, UNSIGNED : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %8 = stablehlo.and %7, %4 : tensor<i1>
    %9 = stablehlo.add %3, %2 : tensor<i32>
    %10 = stablehlo.select %8, %9, %3 : tensor<i1>, tensor<i32>
    return %10 : tensor<i32>
  }
  func.func private @_where(%arg0: tensor<i1>, %arg1: tensor<i32>, %arg2: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.select %arg0, %arg1, %arg2 : tensor<i1>, tensor<i32>
    return %0 : tensor<i32>
  }
  func.func private @dynamic_update_index_in_dim(%arg0: tensor<5xf32>, %arg1: tensor<f32>, %arg2: tensor<i32>) -> tensor<5xf32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<f32>) -> tensor<1xf32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2 : (tensor<5xf32>, tensor<1xf32>, tensor<i32>) -> tensor<5xf32>
    return %1 : tensor<5xf32>
  }
  func.func private @dynamic_update_index_in_dim_1(%arg0: tensor<5xi32>, %arg1: tensor<i32>, %arg2: tensor<i32>) -> tensor<5xi32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<i32>) -> tensor<1xi32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2 : (tensor<5xi32>, tensor<1xi32>, tensor<i32>) -> tensor<5xi32>
    return %1 : tensor<5xi32>
  }
}
