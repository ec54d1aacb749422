module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<3xf64>) -> (tensor<3xf64> {jax.result_info = "result[0]"}, tensor<3xcomplex<f64>> {jax.result_info = "result[1]"}, tensor<5xi64> {jax.result_info = "result[2]"}) {
    %cst = stablehlo.constant dense<2.000000e+00> : tensor<f64>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f64>) -> tensor<3xf64>
    %1 = stablehlo.multiply %arg0, %0 : tensor<3xf64>
    %2 = stablehlo.convert %arg0 : (tensor<3xf64>) -> tensor<3xcomplex<f64>>
    %cst_0 = stablehlo.constant dense<(0.000000e+00,1.000000e+00)> : tensor<complex<f64>>
    %3 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<complex<f64>>) -> tensor<3xcomplex<f64>>
    %4 = stablehlo.multiply %2, %3 : tensor<3xcomplex<f64>>
    %5 = stablehlo.iota dim = 0 : tensor<5xi64>
    return %1, %4, %5 : tensor<3xf64>, tensor<3xcomplex<f64>>, tensor<5xi64>
  }
}
