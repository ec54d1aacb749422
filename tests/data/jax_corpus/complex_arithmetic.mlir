module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<9xcomplex<f32>>, %arg1: tensor<9xcomplex<f32>>) -> (tensor<9xcomplex<f32>> {jax.result_info = "result[0]"}, tensor<9xcomplex<f32>> {jax.result_info = "result[1]"}, tensor<9xcomplex<f32>> {jax.result_info = "result[2]"}, tensor<9xcomplex<f32>> {jax.result_info = "result[3]"}, tensor<9xcomplex<f32>> {jax.result_info = "result[4]"}, tensor<9xi1> {jax.result_info = "result[5]"}) {
    %0 = stablehlo.multiply %arg0, %arg1 : tensor<9xcomplex<f32>>
    %1 = stablehlo.divide %arg0, %arg1 : tensor<9xcomplex<f32>>
    %2 = stablehlo.sqrt %arg0 : tensor<9xcomplex<f32>>
    %3 = stablehlo.log %arg1 : tensor<9xcomplex<f32>>
    %4 = stablehlo.tanh %arg0 : tensor<9xcomplex<f32>>
    %5 = stablehlo.compare EQ, %arg0, %arg1, FLOAT : (tensor<9xcomplex<f32>>, tensor<9xcomplex<f32>>) -> tensor<9xi1>
    return %0, %1, %2, %3, %4, %5 : tensor<9xcomplex<f32>>, tensor<9xcomplex<f32>>, tensor<9xcomplex<f32>>, tensor<9xcomplex<f32>>, tensor<9xcomplex<f32>>, tensor<9xi1>
  }
}
