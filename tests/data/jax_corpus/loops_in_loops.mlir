module @jit_loops_in_loops attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4xf32>) -> (tensor<4xf32> {jax.result_info = "result"}) {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %0:3 = stablehlo.while(%iterArg = %c_0, %iterArg_1 = %c, %iterArg_2 = %arg0) : tensor<i32>, tensor<i32>, tensor<4xf32>
    cond {
      %c_3 = stablehlo.constant dense<3> : tensor<i32>
      %1 = stablehlo.compare LT, %iterArg, %c_3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    } do {
      %1:2 = func.call @closed_call(%iterArg_1, %iterArg_2) : (tensor<i32>, tensor<4xf32>) -> (tensor<i32>, tensor<4xf32>)
      %c_3 = stablehlo.constant dense<1> : tensor<i32>
      %2 = stablehlo.add %iterArg, %c_3 : tensor<i32>
      stablehlo.return %2, %1#0, %1#1 : tensor<i32>, tensor<i32>, tensor<4xf32>
    }
    return %0#2 : tensor<4xf32>
  }
  func.func private @closed_call(%arg0: tensor<i32>, %arg1: tensor<4xf32>) -> (tensor<i32>, tensor<4xf32>) {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %0 = stablehlo.add %arg0, %c : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %1:3 = stablehlo.while(%iterArg = %c_0, %iterArg_1 = %arg0, %iterArg_2 = %arg1) : tensor<i32>, tensor<i32>, tensor<4xf32>
    cond {
      %2 = stablehlo.compare LT, %iterArg, %iterArg_1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %2 : tensor<i1>
    } do {
      %c_3 = stablehlo.constant dense<1> : tensor<i32>
      %2 = stablehlo.add %iterArg, %c_3 : tensor<i32>
      %c_4 = stablehlo.constant dense<4> : tensor<i32>
      %3:3 = stablehlo.while(%iterArg_5 = %iterArg, %iterArg_6 = %c_4, %iterArg_7 = %iterArg_2) : tensor<i32>, tensor<i32>, tensor<4xf32>
      cond {
        %4 = stablehlo.compare LT, %iterArg_5, %iterArg_6, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %4 : tensor<i1>
      } do {
        %c_8 = stablehlo.constant dense<1> : tensor<i32>
        %4 = stablehlo.add %iterArg_5, %c_8 : tensor<i32>
        %5:2 = stablehlo.while(%iterArg_9 = %iterArg_5, %iterArg_10 = %iterArg_7) : tensor<i32>, tensor<4xf32>
        cond {
          %cst_11 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
          %8 = stablehlo.reduce(%iterArg_10 init: %cst_11) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
          %cst_12 = stablehlo.constant dense<5.000000e+01> : tensor<f32>
          %9 = stablehlo.compare LT, %8, %cst_12, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
          stablehlo.return %9 : tensor<i1>
        } do {
          %8 = stablehlo.convert %iterArg_9 : (tensor<i32>) -> tensor<f32>
          %9 = stablehlo.broadcast_in_dim %8, dims = [] : (tensor<f32>) -> tensor<4xf32>
          %10 = stablehlo.add %iterArg_10, %9 : tensor<4xf32>
          %cst_11 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
          %11 = stablehlo.broadcast_in_dim %cst_11, dims = [] : (tensor<f32>) -> tensor<4xf32>
          %12 = stablehlo.add %10, %11 : tensor<4xf32>
          stablehlo.return %iterArg_9, %12 : tensor<i32>, tensor<4xf32>
        }
        %cst = stablehlo.constant dense<5.000000e-01> : tensor<f32>
        %6 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4xf32>
        %7 = stablehlo.multiply %5#1, %6 : tensor<4xf32>
        stablehlo.return %4, %iterArg_6, %7 : tensor<i32>, tensor<i32>, tensor<4xf32>
      }
      stablehlo.return %2, %iterArg_1, %3#2 : tensor<i32>, tensor<i32>, tensor<4xf32>
    }
    return %0, %1#2 : tensor<i32>, tensor<4xf32>
  }
}
