module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<9xf32>) -> (tensor<complex<f32>> {jax.result_info = "result[0]"}, tensor<9xf32> {jax.result_info = "result[1][0]"}, tensor<9xcomplex<f32>> {jax.result_info = "result[1][1]"}) {
    %cst = stablehlo.constant dense<(1.000000e+00,1.000000e+00)> : tensor<complex<f32>>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<9xf32>
    %cst_1 = stablehlo.constant dense<(0.000000e+00,0.000000e+00)> : tensor<complex<f32>>
    %1 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<complex<f32>>) -> tensor<9xcomplex<f32>>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %2:5 = stablehlo.while(%iterArg = %arg0, %iterArg_2 = %c, %iterArg_3 = %cst, %iterArg_4 = %0, %iterArg_5 = %1) : tensor<9xf32>, tensor<i32>, tensor<complex<f32>>, tensor<9xf32>, tensor<9xcomplex<f32>>
    cond {
      %c_6 = stablehlo.constant dense<9> : tensor<i32>
      %3 = stablehlo.compare LT, %iterArg_2, %c_6, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %3 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_2) : (tensor<9xf32>, tensor<i32>) -> tensor<f32>
      %4:3 = func.call @closed_call(%iterArg_3, %3) : (tensor<complex<f32>>, tensor<f32>) -> (tensor<complex<f32>>, tensor<f32>, tensor<complex<f32>>)
      %5 = func.call @dynamic_update_index_in_dim(%iterArg_4, %4#1, %iterArg_2) : (tensor<9xf32>, tensor<f32>, tensor<i32>) -> tensor<9xf32>
      %6 = func.call @dynamic_update_index_in_dim_0(%iterArg_5, %4#2, %iterArg_2) : (tensor<9xcomplex<f32>>, tensor<complex<f32>>, tensor<i32>) -> tensor<9xcomplex<f32>>
      %c_6 = stablehlo.constant dense<1> : tensor<i32>
      %7 = stablehlo.add %iterArg_2, %c_6 : tensor<i32>
      stablehlo.return %iterArg, %7, %4#0, %5, %6 : tensor<9xf32>, tensor<i32>, tensor<complex<f32>>, tensor<9xf32>, tensor<9xcomplex<f32>>
    }
    return %2#2, %2#3, %2#4 : tensor<complex<f32>>, tensor<9xf32>, tensor<9xcomplex<f32>>
  }
  func.func private @dynamic_index_in_dim(%arg0: tensor<9xf32>, %arg1: tensor<i32>) -> tensor<f32> {
    %0 = stablehlo.dynamic_slice %arg0, %arg1, sizes = [1] : (tensor<9xf32>, tensor<i32>) -> tensor<1xf32>
    %1 = stablehlo.reshape %0 : (tensor<1xf32>) -> tensor<f32>
    return %1 : tensor<f32>
  }
  func.func private @closed_call(%arg0: tensor<complex<f32>>, %arg1: tensor<f32>) -> (tensor<complex<f32>>, tensor<f32>, tensor<complex<f32>>) {
    %cst = stablehlo.constant dense<(0.000000e+00,1.000000e+00)> : tensor<complex<f32>>
    %0 = stablehlo.multiply %arg0, %cst : tensor<complex<f32>>
    %1 = stablehlo.convert %arg1 : (tensor<f32>) -> tensor<complex<f32>>
    %2 = stablehlo.add %0, %1 : tensor<complex<f32>>
    %3 = stablehlo.real %arg0 : (tensor<complex<f32>>) -> tensor<f32>
    return %2, %3, %arg0 : tensor<complex<f32>>, tensor<f32>, tensor<complex<f32>>
  }
  func.func private @dynamic_update_index_in_dim(%arg0: tensor<9xf32>, %arg1: tensor<f32>, %arg2: tensor<i32>) -> tensor<9xf32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<f32>) -> tensor<1xf32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2 : (tensor<9xf32>, tensor<1xf32>, tensor<i32>) -> tensor<9xf32>
    return %1 : tensor<9xf32>
  }
  func.func private @dynamic_update_index_in_dim_0(%arg0: tensor<9xcomplex<f32>>, %arg1: tensor<complex<f32>>, %arg2: tensor<i32>) -> tensor<9xcomplex<f32>> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<complex<f32>>) -> tensor<1xcomplex<f32>>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2 : (tensor<9xcomplex<f32>>, tensor<1xcomplex<f32>>, tensor<i32>) -> tensor<9xcomplex<f32>>
    return %1 : tensor<9xcomplex<f32>>
  }
}
