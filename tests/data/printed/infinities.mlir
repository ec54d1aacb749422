module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<5xf32>) -> (tensor<5xf32> {jax.result_info = "result[0]"}, tensor<5xf32> {jax.result_info = "result[1]"}, tensor<5xf16> {jax.result_info = "result[2]"}, tensor<5xcomplex<f32>> {jax.result_info = "result[3]"}) {
    %cst = stablehlo.constant dense<[0x7F800000, 0xFF800000, 0x7FC00000, 1.500000e+00, -0.000000e+00]> : tensor<5xf32>
    %0 = stablehlo.add %arg0, %cst : tensor<5xf32>
    %cst_0 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %1 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %2 = stablehlo.compare GT, %arg0, %1, FLOAT : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xi1>
    %cst_1 = stablehlo.constant dense<0x7F800000> : tensor<f32>
    %cst_2 = stablehlo.constant dense<0x7FC00000> : tensor<f32>
    %3 = call @_where(%2, %cst_1, %cst_2) : (tensor<5xi1>, tensor<f32>, tensor<f32>) -> tensor<5xf32>
    %4 = stablehlo.convert %arg0 : (tensor<5xf32>) -> tensor<5xf16>
    %cst_3 = stablehlo.constant dense<0x7C00> : tensor<f16>
    %5 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f16>) -> tensor<5xf16>
    %6 = stablehlo.multiply %4, %5 : tensor<5xf16>
    %7 = stablehlo.add %arg0, %cst : tensor<5xf32>
    %8 = stablehlo.convert %7 : (tensor<5xf32>) -> tensor<5xcomplex<f32>>
    %cst_4 = stablehlo.constant dense<(0x7F800000,1.000000e+00)> : tensor<complex<f32>>
    %9 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<complex<f32>>) -> tensor<5xcomplex<f32>>
    %10 = stablehlo.multiply %8, %9 : tensor<5xcomplex<f32>>
    return %0, %3, %6, %10 : tensor<5xf32>, tensor<5xf32>, tensor<5xf16>, tensor<5xcomplex<f32>>
  }
  func.func private @_where(%arg0: tensor<5xi1>, %arg1: tensor<f32>, %arg2: tensor<f32>) -> tensor<5xf32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %1 = stablehlo.broadcast_in_dim %arg2, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %2 = stablehlo.select %arg0, %0, %1 : tensor<5xi1>, tensor<5xf32>
    return %2 : tensor<5xf32>
  }
}
