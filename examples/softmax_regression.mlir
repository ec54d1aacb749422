// One step of softmax regression; softmax_regression.py is the same program in Python.
module @softmax_regression {
  func.func public @main(%bias: tensor<5xf32>, %weight: tensor<20x5xf32>, %x: tensor<96x20xf32>, %labels: tensor<96xi32>, %rate: tensor<f32>) -> (tensor<5xf32>, tensor<20x5xf32>, tensor<f32>) {
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = stablehlo.dot_general %x, %weight, contracting_dims = [1] x [0] : (tensor<96x20xf32>, tensor<20x5xf32>) -> tensor<96x5xf32>
    %1 = stablehlo.broadcast_in_dim %bias, dims = [1] : (tensor<5xf32>) -> tensor<96x5xf32>
    %logits = stablehlo.add %0, %1 : tensor<96x5xf32>
    %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %max = stablehlo.reduce(%logits init: %lowest) applies stablehlo.maximum across dimensions = [1] : (tensor<96x5xf32>, tensor<f32>) -> tensor<96xf32>
    %2 = stablehlo.broadcast_in_dim %max, dims = [0] : (tensor<96xf32>) -> tensor<96x5xf32>
    %shifted = stablehlo.subtract %logits, %2 : tensor<96x5xf32>
    %3 = stablehlo.exponential %shifted : tensor<96x5xf32>
    %sum = stablehlo.reduce(%3 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<96x5xf32>, tensor<f32>) -> tensor<96xf32>
    %4 = stablehlo.reshape %sum : (tensor<96xf32>) -> tensor<96x1xf32>
    %5 = stablehlo.log %4 : tensor<96x1xf32>
    %6 = stablehlo.broadcast_in_dim %5, dims = [0, 1] : (tensor<96x1xf32>) -> tensor<96x5xf32>
    %log_p = stablehlo.subtract %shifted, %6 : tensor<96x5xf32>
    %7 = stablehlo.broadcast_in_dim %labels, dims = [0] : (tensor<96xi32>) -> tensor<96x5xi32>
    %classes = stablehlo.iota dim = 1 : tensor<96x5xi32>
    %8 = stablehlo.compare EQ, %7, %classes, SIGNED : (tensor<96x5xi32>, tensor<96x5xi32>) -> tensor<96x5xi1>
    %target = stablehlo.convert %8 : (tensor<96x5xi1>) -> tensor<96x5xf32>
    %9 = stablehlo.multiply %target, %log_p : tensor<96x5xf32>
    %10 = stablehlo.reduce(%9 init: %zero) applies stablehlo.add across dimensions = [0, 1] : (tensor<96x5xf32>, tensor<f32>) -> tensor<f32>
    %11 = stablehlo.negate %10 : tensor<f32>
    %count = stablehlo.constant dense<96.0> : tensor<f32>
    %loss = stablehlo.divide %11, %count : tensor<f32>
    %12 = stablehlo.exponential %log_p : tensor<96x5xf32>
    %13 = stablehlo.subtract %12, %target : tensor<96x5xf32>
    %counts = stablehlo.constant dense<96.0> : tensor<96x5xf32>
    %gradient = stablehlo.divide %13, %counts : tensor<96x5xf32>
    %xt = stablehlo.transpose %x, dims = [1, 0] : (tensor<96x20xf32>) -> tensor<20x96xf32>
    %14 = stablehlo.dot_general %xt, %gradient, contracting_dims = [1] x [0] : (tensor<20x96xf32>, tensor<96x5xf32>) -> tensor<20x5xf32>
    %15 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20x5xf32>
    %16 = stablehlo.multiply %15, %14 : tensor<20x5xf32>
    %new_weight = stablehlo.subtract %weight, %16 : tensor<20x5xf32>
    %17 = stablehlo.reduce(%gradient init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<96x5xf32>, tensor<f32>) -> tensor<5xf32>
    %18 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %19 = stablehlo.multiply %18, %17 : tensor<5xf32>
    %new_bias = stablehlo.subtract %bias, %19 : tensor<5xf32>
    return %new_bias, %new_weight, %loss : tensor<5xf32>, tensor<20x5xf32>, tensor<f32>
  }
}
