// RUN: stepwell-opt %s --split-input-file --decompose-batch-norm | filecheck %s

// The variance is that of centered values.

// CHECK-LABEL: func.func @training
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>, %[[S:.*]]: tensor<3xf32>, %[[O:.*]]: tensor<3xf32>)
// CHECK: %[[SUM:.*]] = stablehlo.reduce(%[[X]] init: %{{.*}}) applies stablehlo.add across dimensions = [0]
// CHECK: %[[MEAN:.*]] = stablehlo.divide %[[SUM]]
// CHECK: %[[M:.*]] = stablehlo.broadcast_in_dim %[[MEAN]], dims = [1]
// CHECK: %[[C:.*]] = stablehlo.subtract %[[X]], %[[M]]
// CHECK: %[[C2:.*]] = stablehlo.multiply %[[C]], %[[C]]
// CHECK: %[[SQUARES:.*]] = stablehlo.reduce(%[[C2]] init: %{{.*}}) applies stablehlo.add across dimensions = [0]
// CHECK: %[[VAR:.*]] = stablehlo.divide %[[SQUARES]]
// CHECK: return %{{.*}}, %[[MEAN]], %[[VAR]]
func.func @training(%x: tensor<4x3xf32>, %s: tensor<3xf32>, %o: tensor<3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %y:3 = "stablehlo.batch_norm_training"(%x, %s, %o) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}> : (tensor<4x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<4x3xf32>, tensor<3xf32>, tensor<3xf32>)
  return %y#0, %y#1, %y#2 : tensor<4x3xf32>, tensor<3xf32>, tensor<3xf32>
}

// -----

// Half precision is rounded at the results only.

// CHECK-LABEL: func.func @inference
// CHECK-COUNT-5: stablehlo.convert %{{.*}} : (tensor<{{.*}}f16>) -> tensor<{{.*}}f32>
// CHECK: stablehlo.subtract %{{.*}} : tensor<4x3xf32>
// CHECK: stablehlo.sqrt %{{.*}} : tensor<3xf32>
// CHECK: %[[SUM:.*]] = stablehlo.add %{{.*}} : tensor<4x3xf32>
// CHECK-NEXT: %[[R:.*]] = stablehlo.convert %[[SUM]] : (tensor<4x3xf32>) -> tensor<4x3xf16>
// CHECK-NEXT: return %[[R]]
func.func @inference(%x: tensor<4x3xf16>, %s: tensor<3xf16>) -> tensor<4x3xf16> {
  %y = "stablehlo.batch_norm_inference"(%x, %s, %s, %s, %s) <{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}> : (tensor<4x3xf16>, tensor<3xf16>, tensor<3xf16>, tensor<3xf16>, tensor<3xf16>) -> tensor<4x3xf16>
  return %y : tensor<4x3xf16>
}
