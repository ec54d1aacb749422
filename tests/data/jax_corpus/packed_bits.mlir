module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<3x17xi32>) -> (tensor<3x3xui8> {jax.result_info = "result[0]"}, tensor<3x136xui8> {jax.result_info = "result[1]"}) {
    %0 = call @packbits(%arg0) : (tensor<3x17xi32>) -> tensor<3x3xui8>
    %1 = stablehlo.convert %arg0 : (tensor<3x17xi32>) -> tensor<3x17xui8>
    %2 = call @unpackbits(%1) : (tensor<3x17xui8>) -> tensor<3x136xui8>
    return %0, %2 : tensor<3x3xui8>, tensor<3x136xui8>
  }
  func.func private @packbits(%arg0: tensor<3x17xi32>) -> tensor<3x3xui8> {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %0 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<3x17xi32>
    %1 = stablehlo.compare NE, %arg0, %0, SIGNED : (tensor<3x17xi32>, tensor<3x17xi32>) -> tensor<3x17xi1>
    %2 = stablehlo.convert %1 : (tensor<3x17xi1>) -> tensor<3x17xui8>
    %3 = stablehlo.iota dim = 0 : tensor<8xui8>
    %4 = stablehlo.reverse %3, dims = [0] : tensor<8xui8>
    %c_0 = stablehlo.constant dense<0> : tensor<ui8>
    %5 = stablehlo.pad %2, %c_0, low = [0, 0], high = [0, 7], interior = [0, 0] : (tensor<3x17xui8>, tensor<ui8>) -> tensor<3x24xui8>
    %6 = stablehlo.reshape %5 : (tensor<3x24xui8>) -> tensor<3x3x8xui8>
    %7 = stablehlo.broadcast_in_dim %4, dims = [2] : (tensor<8xui8>) -> tensor<1x1x8xui8>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1, 2] : (tensor<1x1x8xui8>) -> tensor<3x3x8xui8>
    %9 = stablehlo.shift_left %6, %8 : tensor<3x3x8xui8>
    %10 = stablehlo.convert %9 : (tensor<3x3x8xui8>) -> tensor<3x3x8xui32>
    %c_1 = stablehlo.constant dense<0> : tensor<ui32>
    %11 = stablehlo.reduce(%10 init: %c_1) applies stablehlo.add across dimensions = [2] : (tensor<3x3x8xui32>, tensor<ui32>) -> tensor<3x3xui32>
    %12 = stablehlo.convert %11 : (tensor<3x3xui32>) -> tensor<3x3xui8>
    return %12 : tensor<3x3xui8>
  }
  func.func private @unpackbits(%arg0: tensor<3x17xui8>) -> tensor<3x136xui8> {
    %0 = stablehlo.iota dim = 0 : tensor<8xui8>
    %c = stablehlo.constant dense<1> : tensor<ui8>
    %1 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<ui8>) -> tensor<8xui8>
    %2 = stablehlo.shift_left %1, %0 : tensor<8xui8>
    %3 = stablehlo.reverse %2, dims = [0] : tensor<8xui8>
    %4 = stablehlo.broadcast_in_dim %arg0, dims = [0, 1] : (tensor<3x17xui8>) -> tensor<3x17x1xui8>
    %5 = stablehlo.broadcast_in_dim %3, dims = [2] : (tensor<8xui8>) -> tensor<1x1x8xui8>
    %6 = stablehlo.broadcast_in_dim %4, dims = [0, 1, 2] : (tensor<3x17x1xui8>) -> tensor<3x17x8xui8>
    %7 = stablehlo.broadcast_in_dim %5, dims = [0, 1, 2] : (tensor<1x1x8xui8>) -> tensor<3x17x8xui8>
    %8 = stablehlo.and %6, %7 : tensor<3x17x8xui8>
    %c_0 = stablehlo.constant dense<0> : tensor<ui8>
    %9 = stablehlo.broadcast_in_dim %c_0, dims = [] : (tensor<ui8>) -> tensor<3x17x8xui8>
    %10 = stablehlo.compare GT, %8, %9, UNSIGNED : (tensor<3x17x8xui8>, tensor<3x17x8xui8>) -> tensor<3x17x8xi1>
    %11 = stablehlo.convert %10 : (tensor<3x17x8xi1>) -> tensor<3x17x8xui8>
    %12 = stablehlo.reshape %11 : (tensor<3x17x8xui8>) -> tensor<3x136xui8>
    return %12 : tensor<3x136xui8>
  }
}
