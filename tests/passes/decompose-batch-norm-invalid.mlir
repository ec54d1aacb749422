// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --decompose-batch-norm

func.func @dynamic(%x: tensor<?x3xf32>, %s: tensor<3xf32>) -> tensor<?x3xf32> {
  // expected-error @+1 {{'stablehlo.batch_norm_inference' op is not supported: dynamic shape tensor<?x3xf32>}}
  %y = "stablehlo.batch_norm_inference"(%x, %s, %s, %s, %s) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}> : (tensor<?x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
