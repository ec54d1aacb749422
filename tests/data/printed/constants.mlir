module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main() -> (tensor<2x3xi8> {jax.result_info = "result[0]"}, tensor<2x3xui8> {jax.result_info = "result[1]"}, tensor<2x3xi16> {jax.result_info = "result[2]"}, tensor<2x3xui32> {jax.result_info = "result[3]"}, tensor<2x3xi32> {jax.result_info = "result[4]"}, tensor<2x3xi1> {jax.result_info = "result[5]"}, tensor<2x3xf16> {jax.result_info = "result[6]"}, tensor<2x3xcomplex<f32>> {jax.result_info = "result[7]"}, tensor<2x3xbf16> {jax.result_info = "result[8]"}, tensor<2x3xf8E4M3FN> {jax.result_info = "result[9]"}, tensor<2x3xf8E5M2> {jax.result_info = "result[10]"}, tensor<2x3xf8E4M3B11FNUZ> {jax.result_info = "result[11]"}, tensor<2x3xf8E4M3> {jax.result_info = "result[12]"}, tensor<2x3xf8E3M4> {jax.result_info = "result[13]"}, tensor<2x3xf8E8M0FNU> {jax.result_info = "result[14]"}, tensor<2x3xf4E2M1FN> {jax.result_info = "result[15]"}, tensor<2x3xi4> {jax.result_info = "result[16]"}, tensor<2x3xui4> {jax.result_info = "result[17]"}, tensor<2x3xi2> {jax.result_info = "result[18]"}, tensor<2x3xui2> {jax.result_info = "result[19]"}) {
    %c = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xi8>
    %c_0 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xui8>
    %c_1 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xi16>
    %c_2 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xui32>
    %c_3 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xi32>
    %c_4 = stablehlo.constant dense<[[false, true, true], [true, false, true]]> : tensor<2x3xi1>
    %cst = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf16>
    %cst_5 = stablehlo.constant dense<[[(0.000000e+00,0.000000e+00), (1.000000e+00,0.000000e+00), (2.000000e+00,0.000000e+00)], [(1.000000e+00,0.000000e+00), (0.000000e+00,0.000000e+00), (1.000000e+00,0.000000e+00)]]> : tensor<2x3xcomplex<f32>>
    %cst_6 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xbf16>
    %cst_7 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf8E4M3FN>
    %cst_8 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf8E5M2>
    %cst_9 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf8E4M3B11FNUZ>
    %cst_10 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf8E4M3>
    %cst_11 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf8E3M4>
    %cst_12 = stablehlo.constant dense<[[0xFF, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0xFF, 1.000000e+00]]> : tensor<2x3xf8E8M0FNU>
    %cst_13 = stablehlo.constant dense<[[0.000000e+00, 1.000000e+00, 2.000000e+00], [1.000000e+00, 0.000000e+00, 1.000000e+00]]> : tensor<2x3xf4E2M1FN>
    %c_14 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xi4>
    %c_15 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xui4>
    %c_16 = stablehlo.constant dense<[[0, 1, -2], [1, 0, 1]]> : tensor<2x3xi2>
    %c_17 = stablehlo.constant dense<[[0, 1, 2], [1, 0, 1]]> : tensor<2x3xui2>
    return %c, %c_0, %c_1, %c_2, %c_3, %c_4, %cst, %cst_5, %cst_6, %cst_7, %cst_8, %cst_9, %cst_10, %cst_11, %cst_12, %cst_13, %c_14, %c_15, %c_16, %c_17 : tensor<2x3xi8>, tensor<2x3xui8>, tensor<2x3xi16>, tensor<2x3xui32>, tensor<2x3xi32>, tensor<2x3xi1>, tensor<2x3xf16>, tensor<2x3xcomplex<f32>>, tensor<2x3xbf16>, tensor<2x3xf8E4M3FN>, tensor<2x3xf8E5M2>, tensor<2x3xf8E4M3B11FNUZ>, tensor<2x3xf8E4M3>, tensor<2x3xf8E3M4>, tensor<2x3xf8E8M0FNU>, tensor<2x3xf4E2M1FN>, tensor<2x3xi4>, tensor<2x3xui4>, tensor<2x3xi2>, tensor<2x3xui2>
  }
}
