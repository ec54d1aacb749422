// An MLP's forward pass; mlp.py is the same program in Python. Arguments: bias and weight of each layer, then the batch.
module @mlp {
  func.func public @main(%b0: tensor<128xf32>, %w0: tensor<64x128xf32>, %b1: tensor<128xf32>, %w1: tensor<128x128xf32>, %b2: tensor<10xf32>, %w2: tensor<128x10xf32>, %x: tensor<32x64xf32>) -> tensor<32x10xf32> {
    %0 = stablehlo.dot_general %x, %w0, contracting_dims = [1] x [0] : (tensor<32x64xf32>, tensor<64x128xf32>) -> tensor<32x128xf32>
    %1 = call @bias_relu(%0, %b0) : (tensor<32x128xf32>, tensor<128xf32>) -> tensor<32x128xf32>
    %2 = stablehlo.dot_general %1, %w1, contracting_dims = [1] x [0] : (tensor<32x128xf32>, tensor<128x128xf32>) -> tensor<32x128xf32>
    %3 = call @bias_relu(%2, %b1) : (tensor<32x128xf32>, tensor<128xf32>) -> tensor<32x128xf32>
    %4 = stablehlo.dot_general %3, %w2, contracting_dims = [1] x [0] : (tensor<32x128xf32>, tensor<128x10xf32>) -> tensor<32x10xf32>
    %5 = stablehlo.broadcast_in_dim %b2, dims = [1] : (tensor<10xf32>) -> tensor<32x10xf32>
    %logits = stablehlo.add %4, %5 : tensor<32x10xf32>
    %lowest = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %max = stablehlo.reduce(%logits init: %lowest) applies stablehlo.maximum across dimensions = [1] : (tensor<32x10xf32>, tensor<f32>) -> tensor<32xf32>
    %6 = stablehlo.broadcast_in_dim %max, dims = [0] : (tensor<32xf32>) -> tensor<32x10xf32>
    %7 = stablehlo.subtract %logits, %6 : tensor<32x10xf32>
    %8 = stablehlo.exponential %7 : tensor<32x10xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %sum = stablehlo.reduce(%8 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<32x10xf32>, tensor<f32>) -> tensor<32xf32>
    %9 = stablehlo.broadcast_in_dim %sum, dims = [0] : (tensor<32xf32>) -> tensor<32x10xf32>
    %10 = stablehlo.divide %8, %9 : tensor<32x10xf32>
    return %10 : tensor<32x10xf32>
  }
  func.func private @bias_relu(%x: tensor<32x128xf32>, %b: tensor<128xf32>) -> tensor<32x128xf32> {
    %0 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<128xf32>) -> tensor<32x128xf32>
    %1 = stablehlo.add %x, %0 : tensor<32x128xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<32x128xf32>
    %2 = stablehlo.maximum %1, %zero : tensor<32x128xf32>
    return %2 : tensor<32x128xf32>
  }
}
