// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(raise-softmax)' | filecheck %s

// As JAX and others write it.

// CHECK-LABEL: func.func @softmax
// CHECK-SAME: (%[[X:.*]]: tensor<64x96xf32>)
// CHECK-NEXT: %[[Y:.*]] = stablehlo.composite "stepwell.softmax" %[[X]] {decomposition = @softmax_1, composite_attributes = {dims = array<i64: 1>}}
// CHECK-NEXT: func.return %[[Y]]
// CHECK: func.func private @softmax_1(%{{.*}}: tensor<64x96xf32>) -> tensor<64x96xf32>
// CHECK: stablehlo.maximum
// CHECK: stablehlo.exponential
// CHECK: stablehlo.divide
func.func @softmax(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xf32>
  %3 = stablehlo.exponential %2 : tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %6 = stablehlo.divide %3, %5 : tensor<64x96xf32>
  func.return %6 : tensor<64x96xf32>
}

// -----

// Its logarithm: the shifted values less the logarithm of the sum.

// CHECK-LABEL: func.func @log_softmax
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.log_softmax"
// CHECK-NEXT: func.return %[[Y]]
// CHECK: stablehlo.log 
func.func @log_softmax(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xf32>
  %3 = stablehlo.exponential %2 : tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %6 = stablehlo.log %5 : tensor<64x1xf32>
  %7 = stablehlo.broadcast_in_dim %6, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %8 = stablehlo.subtract %2, %7 : tensor<64x96xf32>
  func.return %8 : tensor<64x96xf32>
}

// -----

// The sum in a wider type than the rest.

// CHECK-LABEL: func.func @softmax_bf16
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.softmax" %{{.*}} {decomposition = @softmax,
// CHECK-NEXT: func.return %[[Y]]
// CHECK: stablehlo.convert
func.func @softmax_bf16(%arg0: tensor<64x96xbf16>) -> tensor<64x96xbf16> {
  %cst = stablehlo.constant dense<0xff80> : tensor<bf16>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xbf16>, tensor<bf16>) -> tensor<64xbf16>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xbf16>) -> tensor<64x96xbf16>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xbf16>
  %3 = stablehlo.exponential %2 : tensor<64x96xbf16>
  %4 = stablehlo.convert %3 : (tensor<64x96xbf16>) -> tensor<64x96xf32>
  %5 = stablehlo.reduce(%4 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %7 = stablehlo.convert %6 : (tensor<64x1xf32>) -> tensor<64x1xbf16>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1] : (tensor<64x1xbf16>) -> tensor<64x96xbf16>
  %9 = stablehlo.divide %3, %8 : tensor<64x96xbf16>
  func.return %9 : tensor<64x96xbf16>
}

// -----

// A loss with its gradient: the exponentials and their sum are read there, so they are results as well.

// CHECK-LABEL: func.func @xent_grad
// CHECK: %[[L:.*]], %[[E:.*]], %[[S:.*]] = stablehlo.composite "stepwell.log_softmax" %{{.*}} : (tensor<64x96xf32>) -> (tensor<64x96xf32>, tensor<64x96xf32>, tensor<64x1xf32>)
// CHECK: stablehlo.multiply %[[L]],
// CHECK: stablehlo.divide %{{.*}}, %[[S]]
// CHECK: stablehlo.multiply %{{.*}}, %[[E]]
// CHECK: func.return
func.func @xent_grad(%arg0: tensor<64x96xf32>, %arg1: tensor<64x96xf32>) -> (tensor<f32>, tensor<64x96xf32>) {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %cst_2 = stablehlo.constant dense<6.400000e+01> : tensor<f32>
  %0 = stablehlo.constant dense<1.562500e-02> : tensor<f32>
  %1 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %2 = stablehlo.broadcast_in_dim %1, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %3 = stablehlo.subtract %arg0, %2 : tensor<64x96xf32>
  %4 = stablehlo.exponential %3 : tensor<64x96xf32>
  %5 = stablehlo.reduce(%4 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0] : (tensor<64xf32>) -> tensor<64x1xf32>
  %7 = stablehlo.log %6 : tensor<64x1xf32>
  %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1] : (tensor<64x1xf32>) -> tensor<64x96xf32>
  %9 = stablehlo.subtract %3, %8 : tensor<64x96xf32>
  %10 = stablehlo.multiply %9, %arg1 : tensor<64x96xf32>
  %11 = stablehlo.reduce(%10 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %12 = stablehlo.negate %11 : tensor<64xf32>
  %13 = stablehlo.reduce(%12 init: %cst_1) applies stablehlo.add across dimensions = [0] : (tensor<64xf32>, tensor<f32>) -> tensor<f32>
  %14 = stablehlo.divide %13, %cst_2 : tensor<f32>
  %15 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<f32>) -> tensor<64xf32>
  %16 = stablehlo.negate %15 : tensor<64xf32>
  %17 = stablehlo.broadcast_in_dim %16, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %18 = stablehlo.multiply %17, %arg1 : tensor<64x96xf32>
  %19 = stablehlo.negate %18 : tensor<64x96xf32>
  %20 = stablehlo.reduce(%19 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %21 = stablehlo.reshape %20 : (tensor<64xf32>) -> tensor<64x1xf32>
  %22 = stablehlo.divide %21, %6 : tensor<64x1xf32>
  %23 = stablehlo.reduce(%22 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x1xf32>, tensor<f32>) -> tensor<64xf32>
  %24 = stablehlo.broadcast_in_dim %23, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %25 = stablehlo.multiply %24, %4 : tensor<64x96xf32>
  %26 = stablehlo.add %18, %25 : tensor<64x96xf32>
  func.return %14, %26 : tensor<f32>, tensor<64x96xf32>
}

// -----

// The maximum is of something else.

// CHECK-LABEL: func.func @another_maximum
// CHECK-NOT: composite
// CHECK: func.return
func.func @another_maximum(%arg0: tensor<64x96xf32>, %y: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%y init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xf32>
  %3 = stablehlo.exponential %2 : tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %6 = stablehlo.divide %3, %5 : tensor<64x96xf32>
  func.return %6 : tensor<64x96xf32>
}

// -----

// What is divided is not what is summed.

// CHECK-LABEL: func.func @another_sum
// CHECK-NOT: composite
// CHECK: func.return
func.func @another_sum(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xf32>
  %3 = stablehlo.exponential %2 : tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %6 = stablehlo.divide %2, %5 : tensor<64x96xf32>
  func.return %6 : tensor<64x96xf32>
}

// -----

// The maximum starts from 0, so it is none of what is below.

// CHECK-LABEL: func.func @maximum_of_positive
// CHECK-NOT: composite
// CHECK: func.return
func.func @maximum_of_positive(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<0.0> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xf32>
  %3 = stablehlo.exponential %2 : tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %6 = stablehlo.divide %3, %5 : tensor<64x96xf32>
  func.return %6 : tensor<64x96xf32>
}

// -----

// The sum goes to another place than where it comes from.

// CHECK-LABEL: func.func @turned
// CHECK-NOT: composite
// CHECK: func.return
func.func @turned(%arg0: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x64xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x64xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x64xf32>
  %3 = stablehlo.exponential %2 : tensor<64x64xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x64xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [1] : (tensor<64xf32>) -> tensor<64x64xf32>
  %6 = stablehlo.divide %3, %5 : tensor<64x64xf32>
  func.return %6 : tensor<64x64xf32>
}

// -----

// Something reads the exponentials before the softmax is done: it would have to stand on both sides.

// CHECK-LABEL: func.func @read_before
// CHECK-NOT: composite
// CHECK: kernel.remarks = ["no softmax: stablehlo.exponential is read before its end"]
func.func @read_before(%arg0: tensor<64x96xf32>) -> (tensor<64x96xf32>, tensor<64x96xf32>) {
  %cst = stablehlo.constant dense<0xff800000> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %1 = stablehlo.broadcast_in_dim %0, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %2 = stablehlo.subtract %arg0, %1 : tensor<64x96xf32>
  %3 = stablehlo.exponential %2 : tensor<64x96xf32>
  %n = stablehlo.negate %3 : tensor<64x96xf32>
  %4 = stablehlo.reduce(%3 init: %cst_1) applies stablehlo.add across dimensions = [1] : (tensor<64x96xf32>, tensor<f32>) -> tensor<64xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %6 = stablehlo.divide %3, %5 : tensor<64x96xf32>
  func.return %6, %n : tensor<64x96xf32>, tensor<64x96xf32>
}
