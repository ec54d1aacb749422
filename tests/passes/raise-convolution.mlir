// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(raise-convolution)' | filecheck %s

// Bias and relu.

// CHECK-LABEL: func.func @conv
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.convolution_relu" %{{.*}}, %{{.*}}, %{{.*}} {decomposition = @convolution_relu}
// CHECK-NEXT: func.return %[[Y]]
func.func @conv(%arg0: tensor<4x8x16x16xf32>, %arg1: tensor<12x8x3x3xf32>, %arg2: tensor<12xf32>) -> tensor<4x12x16x16xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]} : (tensor<4x8x16x16xf32>, tensor<12x8x3x3xf32>) -> tensor<4x12x16x16xf32>
  %1 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<12xf32>) -> tensor<4x12x16x16xf32>
  %2 = stablehlo.add %0, %1 : tensor<4x12x16x16xf32>
  %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x12x16x16xf32>
  %4 = stablehlo.maximum %2, %3 : tensor<4x12x16x16xf32>
  func.return %4 : tensor<4x12x16x16xf32>
}

// -----

// Bias alone.

// CHECK-LABEL: func.func @bias
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.convolution_bias"
// CHECK-NEXT: func.return %[[Y]]
func.func @bias(%arg0: tensor<4x8x16x16xf32>, %arg1: tensor<12x8x3x3xf32>, %arg2: tensor<12xf32>) -> tensor<4x12x16x16xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]} : (tensor<4x8x16x16xf32>, tensor<12x8x3x3xf32>) -> tensor<4x12x16x16xf32>
  %1 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<12xf32>) -> tensor<4x12x16x16xf32>
  %2 = stablehlo.add %0, %1 : tensor<4x12x16x16xf32>
  func.return %2 : tensor<4x12x16x16xf32>
}

// -----

// Bias and silu.

// CHECK-LABEL: func.func @silu
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.convolution_silu"
// CHECK-NEXT: func.return %[[Y]]
func.func @silu(%arg0: tensor<4x8x16x16xf32>, %arg1: tensor<12x8x3x3xf32>, %arg2: tensor<12xf32>) -> tensor<4x12x16x16xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]} : (tensor<4x8x16x16xf32>, tensor<12x8x3x3xf32>) -> tensor<4x12x16x16xf32>
  %1 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<12xf32>) -> tensor<4x12x16x16xf32>
  %2 = stablehlo.add %0, %1 : tensor<4x12x16x16xf32>
  %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x12x16x16xf32>
  %s = stablehlo.logistic %2 : tensor<4x12x16x16xf32>
  %4 = stablehlo.multiply %2, %s : tensor<4x12x16x16xf32>
  func.return %4 : tensor<4x12x16x16xf32>
}

// -----

// What is added has a number for each element: no bias.

// CHECK-LABEL: func.func @residual
// CHECK-NOT: composite
// CHECK: func.return
func.func @residual(%arg0: tensor<4x8x16x16xf32>, %arg1: tensor<12x8x3x3xf32>, %arg2: tensor<4x12x16x16xf32>) -> tensor<4x12x16x16xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]} : (tensor<4x8x16x16xf32>, tensor<12x8x3x3xf32>) -> tensor<4x12x16x16xf32>
  %2 = stablehlo.add %0, %arg2 : tensor<4x12x16x16xf32>
  %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x12x16x16xf32>
  %4 = stablehlo.maximum %2, %3 : tensor<4x12x16x16xf32>
  func.return %4 : tensor<4x12x16x16xf32>
}
