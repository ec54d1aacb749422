module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x16xf32>) -> (tensor<8x16xf32> {jax.result_info = "result"}) {
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<8x8xf32>
    %1:2 = stablehlo.optimization_barrier %arg0, %0 : tensor<8x16xf32>, tensor<8x8xf32>
    %2 = stablehlo.transpose %1#0, dims = [1, 0] : (tensor<8x16xf32>) -> tensor<16x8xf32>
    %3 = stablehlo.dot_general %1#0, %2, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x16xf32>, tensor<16x8xf32>) -> tensor<8x8xf32>
    %4 = stablehlo.sine %3 : tensor<8x8xf32>
    %5 = stablehlo.cosine %3 : tensor<8x8xf32>
    %6 = stablehlo.cosine %4 : tensor<8x8xf32>
    %7 = stablehlo.multiply %1#1, %6 : tensor<8x8xf32>
    %8 = stablehlo.multiply %7, %5 : tensor<8x8xf32>
    %9 = stablehlo.dot_general %8, %1#0, contracting_dims = [0] x [0], precision = [DEFAULT, DEFAULT] : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
    %10 = stablehlo.transpose %9, dims = [1, 0] : (tensor<8x16xf32>) -> tensor<16x8xf32>
    %11 = stablehlo.dot_general %8, %2, contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<8x8xf32>, tensor<16x8xf32>) -> tensor<8x16xf32>
    %12 = stablehlo.transpose %10, dims = [1, 0] : (tensor<16x8xf32>) -> tensor<8x16xf32>
    %13 = stablehlo.add %11, %12 : tensor<8x16xf32>
    return %13 : tensor<8x16xf32>
  }
}
