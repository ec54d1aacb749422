// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(raise-norm)' | filecheck %s

// The variance of centered values; scale and offset.

// CHECK-LABEL: func.func @ln
// CHECK-SAME: (%[[X:.*]]: tensor<64x96xf32>, %[[G:.*]]: tensor<96xf32>, %[[B:.*]]: tensor<96xf32>)
// CHECK-NEXT: %[[Y:.*]] = stablehlo.composite "stepwell.layer_norm" %[[X]], %[[G]], %[[B]] {decomposition = @layer_norm, composite_attributes = {dims = array<i64: 1>}}
// CHECK-NEXT: func.return %[[Y]]
// CHECK: func.func private @layer_norm(
func.func @ln(%arg0: tensor<64x96xf32>, %arg1: tensor<96xf32>, %arg2: tensor<96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = stablehlo.constant dense<9.600000e+01> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e-05> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %2 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %3 = stablehlo.divide %1, %2 : tensor<64x1xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %5 = stablehlo.subtract %arg0, %4 : tensor<64x96xf32>
  %6 = stablehlo.multiply %5, %5 : tensor<64x96xf32>
  %7 = stablehlo.reduce(%6 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %9 = stablehlo.divide %8, %2 : tensor<64x1xf32>
  %10 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %11 = stablehlo.add %9, %10 : tensor<64x1xf32>
  %12 = stablehlo.rsqrt %11 : tensor<64x1xf32>
  %13 = stablehlo.broadcast_in_dim %12, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %14 = stablehlo.multiply %5, %13 : tensor<64x96xf32>
  %15 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %16 = stablehlo.multiply %14, %15 : tensor<64x96xf32>
  %17 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %18 = stablehlo.add %16, %17 : tensor<64x96xf32>
  func.return %18 : tensor<64x96xf32>
}

// -----

// Divided by a root, squares as an op.

// CHECK-LABEL: func.func @ln_var
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.layer_norm"
// CHECK-NEXT: func.return %[[Y]]
// CHECK: stablehlo.sqrt
func.func @ln_var(%arg0: tensor<64x96xf32>, %arg1: tensor<96xf32>, %arg2: tensor<96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<1.000000e-05> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_2 = stablehlo.constant dense<9.600000e+01> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %2 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %3 = stablehlo.divide %1, %2 : tensor<64x1xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %5 = stablehlo.subtract %arg0, %4 : tensor<64x96xf32>
  %6 = chlo.square %5 : tensor<64x96xf32> -> tensor<64x96xf32>
  %7 = stablehlo.reduce(%6 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %9 = stablehlo.divide %8, %2 : tensor<64x1xf32>
  %10 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %11 = stablehlo.add %9, %10 : tensor<64x1xf32>
  %12 = stablehlo.sqrt %11 : tensor<64x1xf32>
  %13 = stablehlo.broadcast_in_dim %12, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %14 = stablehlo.divide %5, %13 : tensor<64x96xf32>
  %15 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %16 = stablehlo.multiply %14, %15 : tensor<64x96xf32>
  %17 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %18 = stablehlo.add %16, %17 : tensor<64x96xf32>
  func.return %18 : tensor<64x96xf32>
}

// -----

// The mean of squares less the square of the mean, cut at 0; the scale on the inverse root.

// CHECK-LABEL: func.func @ln_flax
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.layer_norm"
// CHECK-NEXT: func.return %[[Y]]
func.func @ln_flax(%arg0: tensor<64x96xf32>, %arg1: tensor<96xf32>, %arg2: tensor<96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = stablehlo.constant dense<9.600000e+01> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e-06> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64xf32>
  %2 = stablehlo.divide %0, %1 : tensor<64xf32>
  %3 = chlo.square %arg0 : tensor<64x96xf32> -> tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.divide %4, %1 : tensor<64xf32>
  %6 = chlo.square %2 : tensor<64xf32> -> tensor<64xf32>
  %7 = stablehlo.subtract %5, %6 : tensor<64xf32>
  %8 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64xf32>
  %9 = stablehlo.maximum %8, %7 : tensor<64xf32>
  %10 = stablehlo.broadcast_in_dim %2, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %11 = stablehlo.subtract %arg0, %10 : tensor<64x96xf32>
  %12 = stablehlo.broadcast_in_dim %9, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %13 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %14 = stablehlo.add %12, %13 : tensor<64x1xf32>
  %15 = stablehlo.rsqrt %14 : tensor<64x1xf32>
  %16 = stablehlo.broadcast_in_dim %15, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %17 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %18 = stablehlo.multiply %16, %17 : tensor<64x96xf32>
  %19 = stablehlo.multiply %11, %18 : tensor<64x96xf32>
  %20 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %21 = stablehlo.add %19, %20 : tensor<64x96xf32>
  func.return %21 : tensor<64x96xf32>
}

// -----

// Without a mean.

// CHECK-LABEL: func.func @rms
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.rms_norm" %{{.*}}, %{{.*}} {
// CHECK-NEXT: func.return %[[Y]]
func.func @rms(%arg0: tensor<64x96xf32>, %arg1: tensor<96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = stablehlo.constant dense<9.600000e+01> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e-06> : tensor<f32>
  %0 = stablehlo.multiply %arg0, %arg0 : tensor<64x96xf32>
  %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %2 = stablehlo.broadcast_in_dim %1, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %3 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %4 = stablehlo.divide %2, %3 : tensor<64x1xf32>
  %5 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %6 = stablehlo.add %4, %5 : tensor<64x1xf32>
  %7 = stablehlo.rsqrt %6 : tensor<64x1xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %9 = stablehlo.multiply %arg0, %8 : tensor<64x96xf32>
  %10 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %11 = stablehlo.multiply %9, %10 : tensor<64x96xf32>
  func.return %11 : tensor<64x96xf32>
}

// -----

// Over all dims but the features; mean and variance are results as well.

// CHECK-LABEL: func.func @bn_train
// CHECK: %[[Y:.*]], %[[M:.*]], %[[V:.*]] = stablehlo.composite "stepwell.batch_norm" {{.*}}dims = array<i64: 0, 2, 3>
// CHECK-NEXT: func.return %[[Y]], %[[M]], %[[V]]
func.func @bn_train(%arg0: tensor<4x8x16x16xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8xf32>) -> (tensor<4x8x16x16xf32>, tensor<8xf32>, tensor<8xf32>) {
  %cst = stablehlo.constant dense<1.000000e-05> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.024000e+03> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst_1) applies stablehlo.add across dimensions = [0, 2, 3] : (tensor<4x8x16x16xf32>, tensor<f32>) -> tensor<8xf32>
  %1 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<8xf32>
  %2 = stablehlo.divide %0, %1 : tensor<8xf32>
  %3 = stablehlo.broadcast_in_dim %0, dims = [1] : (tensor<8xf32>) -> tensor<1x8x1x1xf32>
  %4 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<1x8x1x1xf32>
  %5 = stablehlo.divide %3, %4 : tensor<1x8x1x1xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0, 1, 2, 3] : (tensor<1x8x1x1xf32>) -> tensor<4x8x16x16xf32>
  %7 = stablehlo.subtract %arg0, %6 : tensor<4x8x16x16xf32>
  %8 = chlo.square %7 : tensor<4x8x16x16xf32> -> tensor<4x8x16x16xf32>
  %9 = stablehlo.reduce(%8 init: %cst_1) applies stablehlo.add across dimensions = [0, 2, 3] : (tensor<4x8x16x16xf32>, tensor<f32>) -> tensor<8xf32>
  %10 = stablehlo.divide %9, %1 : tensor<8xf32>
  %11 = stablehlo.broadcast_in_dim %2, dims = [1] : (tensor<8xf32>) -> tensor<4x8x16x16xf32>
  %12 = stablehlo.subtract %arg0, %11 : tensor<4x8x16x16xf32>
  %13 = stablehlo.broadcast_in_dim %10, dims = [1] : (tensor<8xf32>) -> tensor<1x8x1x1xf32>
  %14 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x8x1x1xf32>
  %15 = stablehlo.add %13, %14 : tensor<1x8x1x1xf32>
  %16 = stablehlo.rsqrt %15 : tensor<1x8x1x1xf32>
  %17 = stablehlo.broadcast_in_dim %16, dims = [0, 1, 2, 3] : (tensor<1x8x1x1xf32>) -> tensor<4x8x16x16xf32>
  %18 = stablehlo.multiply %12, %17 : tensor<4x8x16x16xf32>
  %19 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<8xf32>) -> tensor<4x8x16x16xf32>
  %20 = stablehlo.multiply %18, %19 : tensor<4x8x16x16xf32>
  %21 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<8xf32>) -> tensor<4x8x16x16xf32>
  %22 = stablehlo.add %20, %21 : tensor<4x8x16x16xf32>
  func.return %22, %2, %10 : tensor<4x8x16x16xf32>, tensor<8xf32>, tensor<8xf32>
}

// -----

// Mean and variance are given.

// CHECK-LABEL: func.func @bn_inf
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.batch_norm_inference"
// CHECK-NEXT: func.return %[[Y]]
func.func @bn_inf(%arg0: tensor<4x8x16x16xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8xf32>, %arg3: tensor<8xf32>, %arg4: tensor<8xf32>) -> tensor<4x8x16x16xf32> {
  %cst = stablehlo.constant dense<1.000000e-05> : tensor<f32>
  %0 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<8xf32>) -> tensor<4x8x16x16xf32>
  %1 = stablehlo.subtract %arg0, %0 : tensor<4x8x16x16xf32>
  %2 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<8xf32>) -> tensor<1x8x1x1xf32>
  %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x8x1x1xf32>
  %4 = stablehlo.add %2, %3 : tensor<1x8x1x1xf32>
  %5 = stablehlo.rsqrt %4 : tensor<1x8x1x1xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0, 1, 2, 3] : (tensor<1x8x1x1xf32>) -> tensor<4x8x16x16xf32>
  %7 = stablehlo.multiply %1, %6 : tensor<4x8x16x16xf32>
  %8 = stablehlo.broadcast_in_dim %arg3, dims = [1] : (tensor<8xf32>) -> tensor<4x8x16x16xf32>
  %9 = stablehlo.multiply %7, %8 : tensor<4x8x16x16xf32>
  %10 = stablehlo.broadcast_in_dim %arg4, dims = [1] : (tensor<8xf32>) -> tensor<4x8x16x16xf32>
  %11 = stablehlo.add %9, %10 : tensor<4x8x16x16xf32>
  func.return %11 : tensor<4x8x16x16xf32>
}

// -----

// A sum by another count is no mean.

// CHECK-LABEL: func.func @another_count
// CHECK-NOT: composite
// CHECK: func.return
func.func @another_count(%arg0: tensor<64x96xf32>, %arg1: tensor<96xf32>, %arg2: tensor<96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = stablehlo.constant dense<9.500000e+01> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e-05> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %2 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %3 = stablehlo.divide %1, %2 : tensor<64x1xf32>
  %4 = stablehlo.broadcast_in_dim %3, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %5 = stablehlo.subtract %arg0, %4 : tensor<64x96xf32>
  %6 = stablehlo.multiply %5, %5 : tensor<64x96xf32>
  %7 = stablehlo.reduce(%6 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %9 = stablehlo.divide %8, %2 : tensor<64x1xf32>
  %10 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %11 = stablehlo.add %9, %10 : tensor<64x1xf32>
  %12 = stablehlo.rsqrt %11 : tensor<64x1xf32>
  %13 = stablehlo.broadcast_in_dim %12, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %14 = stablehlo.multiply %5, %13 : tensor<64x96xf32>
  %15 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %16 = stablehlo.multiply %14, %15 : tensor<64x96xf32>
  %17 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %18 = stablehlo.add %16, %17 : tensor<64x96xf32>
  func.return %18 : tensor<64x96xf32>
}

// -----

// Centered around the mean of something else.

// CHECK-LABEL: func.func @another_mean
// CHECK-NOT: composite
// CHECK: func.return
func.func @another_mean(%arg0: tensor<64x96xf32>, %z: tensor<64x96xf32>, %arg1: tensor<96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_1 = stablehlo.constant dense<9.600000e+01> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e-06> : tensor<f32>
  %0 = stablehlo.multiply %z, %z : tensor<64x96xf32>
  %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %2 = stablehlo.broadcast_in_dim %1, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %3 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %4 = stablehlo.divide %2, %3 : tensor<64x1xf32>
  %5 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x1xf32>
  %6 = stablehlo.add %4, %5 : tensor<64x1xf32>
  %7 = stablehlo.rsqrt %6 : tensor<64x1xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %9 = stablehlo.multiply %arg0, %8 : tensor<64x96xf32>
  %10 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %11 = stablehlo.multiply %9, %10 : tensor<64x96xf32>
  func.return %11 : tensor<64x96xf32>
}

// -----

// Mean and variance of different dims.

// CHECK-LABEL: func.func @mixed
// CHECK-NOT: composite
// CHECK: func.return
func.func @mixed(%arg0: tensor<4x8x8x8xf32>, %arg1: tensor<8xf32>, %arg2: tensor<8xf32>, %arg3: tensor<8xf32>, %arg4: tensor<8xf32>) -> tensor<4x8x8x8xf32> {
  %cst = stablehlo.constant dense<1.000000e-05> : tensor<f32>
  %0 = stablehlo.broadcast_in_dim %arg1, dims = [1] : (tensor<8xf32>) -> tensor<4x8x8x8xf32>
  %1 = stablehlo.subtract %arg0, %0 : tensor<4x8x8x8xf32>
  %2 = stablehlo.broadcast_in_dim %arg2, dims = [2] : (tensor<8xf32>) -> tensor<1x1x8x1xf32>
  %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x1x8x1xf32>
  %4 = stablehlo.add %2, %3 : tensor<1x1x8x1xf32>
  %5 = stablehlo.rsqrt %4 : tensor<1x1x8x1xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0, 1, 2, 3] : (tensor<1x1x8x1xf32>) -> tensor<4x8x8x8xf32>
  %7 = stablehlo.multiply %1, %6 : tensor<4x8x8x8xf32>
  %8 = stablehlo.broadcast_in_dim %arg3, dims = [1] : (tensor<8xf32>) -> tensor<4x8x8x8xf32>
  %9 = stablehlo.multiply %7, %8 : tensor<4x8x8x8xf32>
  %10 = stablehlo.broadcast_in_dim %arg4, dims = [1] : (tensor<8xf32>) -> tensor<4x8x8x8xf32>
  %11 = stablehlo.add %9, %10 : tensor<4x8x8x8xf32>
  func.return %11 : tensor<4x8x8x8xf32>
}
