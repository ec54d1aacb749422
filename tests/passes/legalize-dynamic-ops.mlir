// RUN: stepwell-opt %s --legalize-dynamic-ops --split-input-file | filecheck %s

// Sizes are what the types say.

// CHECK-LABEL: func.func @implied(
// CHECK-NOT: dynamic_
// CHECK: stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
// CHECK: stablehlo.broadcast_in_dim %x, dims = [1, 2] : (tensor<2x3xf32>) -> tensor<4x2x3xf32>
// CHECK: stablehlo.constant dense<2> : tensor<i32>
func.func @implied(%x: tensor<2x3xf32>, %s: tensor<1xi32>, %b: tensor<3xi32>) -> (tensor<6xf32>, tensor<4x2x3xf32>, tensor<i32>) {
  %0 = stablehlo.dynamic_reshape %x, %s : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<6xf32>
  %1 = stablehlo.dynamic_broadcast_in_dim %x, %b, dims = [1, 2] : (tensor<2x3xf32>, tensor<3xi32>) -> tensor<4x2x3xf32>
  %2 = stablehlo.get_dimension_size %x, dim = 0 : (tensor<2x3xf32>) -> tensor<i32>
  return %0, %1, %2 : tensor<6xf32>, tensor<4x2x3xf32>, tensor<i32>
}

// -----

// Paddings that are values: position o is element (o - low) / (interior + 1).

// CHECK-LABEL: func.func @pad(
// CHECK: %[[FILL:.*]] = stablehlo.broadcast_in_dim %v, dims = [] : (tensor<f32>) -> tensor<9xf32>
// CHECK: %[[OFFSET:.*]] = stablehlo.subtract
// CHECK: %[[SOURCE:.*]] = stablehlo.divide %[[OFFSET]], %{{.*}} : tensor<9xi64>
// CHECK: %[[TAKEN:.*]] = "stablehlo.gather"(%x, %{{.*}}) {{.*}} : (tensor<5xf32>, tensor<9x1xi64>) -> tensor<9xf32>
// CHECK: stablehlo.select %{{.*}}, %[[TAKEN]], %[[FILL]] : tensor<9xi1>, tensor<9xf32>
func.func @pad(%x: tensor<5xf32>, %v: tensor<f32>, %l: tensor<1xi32>, %h: tensor<1xi32>, %i: tensor<1xi32>) -> tensor<9xf32> {
  %0 = stablehlo.dynamic_pad %x, %v, %l, %h, %i : (tensor<5xf32>, tensor<f32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<9xf32>
  return %0 : tensor<9xf32>
}

// -----

// CHECK-LABEL: func.func @convolution(
// CHECK: %[[PADDED:.*]] = stablehlo.select {{.*}} : tensor<1x1x7xi1>, tensor<1x1x7xf32>
// CHECK: stablehlo.convolution(%[[PADDED]], %k) {{.*}}pad = {{\[\[}}0, 0]], lhs_dilate = [1]{{.*}} -> tensor<1x1x3xf32>
func.func @convolution(%x: tensor<1x1x3xf32>, %k: tensor<1x1x3xf32>, %p: tensor<1x2xi32>) -> tensor<1x1x3xf32> {
  %0 = "stablehlo.dynamic_conv"(%x, %k, %p) <{window_strides = array<i64: 2>, lhs_dilation = array<i64: 2>, dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x2xi32>) -> tensor<1x1x3xf32>
  return %0 : tensor<1x1x3xf32>
}
