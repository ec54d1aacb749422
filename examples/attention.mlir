// Causal multi-head attention; attention.py is the same program in Python.
module @attention {
  func.func public @main(%q: tensor<2x4x32x16xf32>, %k: tensor<2x4x32x16xf32>, %v: tensor<2x4x32x16xf32>) -> tensor<2x4x32x16xf32> {
    %0 = stablehlo.dot_general %q, %k, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [3] : (tensor<2x4x32x16xf32>, tensor<2x4x32x16xf32>) -> tensor<2x4x32x32xf32>
    %scale = stablehlo.constant dense<0.25> : tensor<2x4x32x32xf32>
    %scores = stablehlo.multiply %0, %scale : tensor<2x4x32x32xf32>
    %row = stablehlo.iota dim = 0 : tensor<32x32xi32>
    %column = stablehlo.iota dim = 1 : tensor<32x32xi32>
    %1 = stablehlo.compare LE, %column, %row, SIGNED : (tensor<32x32xi32>, tensor<32x32xi32>) -> tensor<32x32xi1>
    %mask = stablehlo.broadcast_in_dim %1, dims = [2, 3] : (tensor<32x32xi1>) -> tensor<2x4x32x32xi1>
    %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %lowest, dims = [] : (tensor<f32>) -> tensor<2x4x32x32xf32>
    %3 = stablehlo.select %mask, %scores, %2 : tensor<2x4x32x32xi1>, tensor<2x4x32x32xf32>
    %weights = call @softmax(%3) : (tensor<2x4x32x32xf32>) -> tensor<2x4x32x32xf32>
    %4 = stablehlo.dot_general %weights, %v, batching_dims = [0, 1] x [0, 1], contracting_dims = [3] x [2] : (tensor<2x4x32x32xf32>, tensor<2x4x32x16xf32>) -> tensor<2x4x32x16xf32>
    return %4 : tensor<2x4x32x16xf32>
  }
  func.func private @softmax(%x: tensor<2x4x32x32xf32>) -> tensor<2x4x32x32xf32> {
    %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %max = stablehlo.reduce(%x init: %lowest) applies stablehlo.maximum across dimensions = [3] : (tensor<2x4x32x32xf32>, tensor<f32>) -> tensor<2x4x32xf32>
    %0 = stablehlo.broadcast_in_dim %max, dims = [0, 1, 2] : (tensor<2x4x32xf32>) -> tensor<2x4x32x32xf32>
    %1 = stablehlo.subtract %x, %0 : tensor<2x4x32x32xf32>
    %2 = stablehlo.exponential %1 : tensor<2x4x32x32xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %sum = stablehlo.reduce(%2 init: %zero) applies stablehlo.add across dimensions = [3] : (tensor<2x4x32x32xf32>, tensor<f32>) -> tensor<2x4x32xf32>
    %3 = stablehlo.broadcast_in_dim %sum, dims = [0, 1, 2] : (tensor<2x4x32xf32>) -> tensor<2x4x32x32xf32>
    %4 = stablehlo.divide %2, %3 : tensor<2x4x32x32xf32>
    return %4 : tensor<2x4x32x32xf32>
  }
}
