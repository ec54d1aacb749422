module @jit_state_of_many_types attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4xf32>, %arg1: tensor<3xf16>, %arg2: tensor<2xi1>, %arg3: tensor<2xcomplex<f32>>, %arg4: tensor<i32>, %arg5: tensor<i32>) -> (tensor<4xf32> {jax.result_info = "result['a'][0]"}, tensor<3xf16> {jax.result_info = "result['a'][1]"}, tensor<2xi1> {jax.result_info = "result['b']"}, tensor<2xcomplex<f32>> {jax.result_info = "result['c']"}, tensor<i32> {jax.result_info = "result['i']"}, tensor<i32> {jax.result_info = "result['n']"}) {
    %0:6 = stablehlo.while(%iterArg = %arg0, %iterArg_0 = %arg1, %iterArg_1 = %arg2, %iterArg_2 = %arg3, %iterArg_3 = %arg4, %iterArg_4 = %arg5) : tensor<4xf32>, tensor<3xf16>, tensor<2xi1>, tensor<2xcomplex<f32>>, tensor<i32>, tensor<i32>
    cond {
      %1 = stablehlo.compare LT, %iterArg_3, %iterArg_4, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    } do {
      %c = stablehlo.constant dense<1> : tensor<i32>
      %1 = stablehlo.add %iterArg_3, %c : tensor<i32>
      %cst = stablehlo.constant dense<1.100000e+00> : tensor<f32>
      %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4xf32>
      %3 = stablehlo.multiply %iterArg, %2 : tensor<4xf32>
      %4 = stablehlo.convert %iterArg_3 : (tensor<i32>) -> tensor<f16>
      %5 = stablehlo.broadcast_in_dim %4, dims = [] : (tensor<f16>) -> tensor<3xf16>
      %6 = stablehlo.add %iterArg_0, %5 : tensor<3xf16>
      %7 = stablehlo.not %iterArg_1 : tensor<2xi1>
      %cst_5 = stablehlo.constant dense<(1.000000e+00,1.000000e+00)> : tensor<complex<f32>>
      %8 = stablehlo.broadcast_in_dim %cst_5, dims = [] : (tensor<complex<f32>>) -> tensor<2xcomplex<f32>>
      %9 = stablehlo.multiply %iterArg_2, %8 : tensor<2xcomplex<f32>>
      stablehlo.return %3, %6, %7, %9, %1, %iterArg_4 : tensor<4xf32>, tensor<3xf16>, tensor<2xi1>, tensor<2xcomplex<f32>>, tensor<i32>, tensor<i32>
    }
    return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5 : tensor<4xf32>, tensor<3xf16>, tensor<2xi1>, tensor<2xcomplex<f32>>, tensor<i32>, tensor<i32>
  }
}
