// RUN: stepwell-opt %s --split-input-file --convert-chlo-to-stablehlo | filecheck %s

// CHECK-LABEL: func.func @square
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
// CHECK-NEXT: stablehlo.multiply %[[X]], %[[X]] : tensor<4xf32>
func.func @square(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = chlo.square %x : tensor<4xf32> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// NaN sorts above infinity, and equal elements keep their order.

// CHECK-LABEL: func.func @top_k
// CHECK-SAME: (%[[X:.*]]: tensor<5x9xf32>)
// CHECK-NEXT: %[[I:.*]] = stablehlo.iota dim = 1 : tensor<5x9xi32>
// CHECK-NEXT: %[[V:.*]], %[[P:.*]] = "stablehlo.sort"(%[[X]], %[[I]]) <{dimension = 1 : i64, is_stable = true}>
// CHECK-NEXT: ^{{.*}}(%[[A:.*]]: tensor<f32>, %[[B:.*]]: tensor<f32>, %{{.*}}: tensor<i32>, %{{.*}}: tensor<i32>):
// CHECK-NEXT: %[[C:.*]] = stablehlo.compare GT, %[[A]], %[[B]], TOTALORDER
// CHECK-NEXT: stablehlo.return %[[C]]
// CHECK: stablehlo.slice %[[V]] [0:5, 0:3]
// CHECK: stablehlo.slice %[[P]] [0:5, 0:3]
func.func @top_k(%x: tensor<5x9xf32>) -> (tensor<5x3xf32>, tensor<5x3xi32>) {
  %v, %i = chlo.top_k(%x, k = 3) : tensor<5x9xf32> -> (tensor<5x3xf32>, tensor<5x3xi32>)
  return %v, %i : tensor<5x3xf32>, tensor<5x3xi32>
}

// -----

// Functions with scalar code of their own stay.

// CHECK-LABEL: func.func @erf
// CHECK: chlo.erf
func.func @erf(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = chlo.erf %x : tensor<4xf32> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
