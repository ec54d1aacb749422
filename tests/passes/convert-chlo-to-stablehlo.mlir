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

// -----

// A scan is a loop that reads slices and writes slices.

// CHECK-LABEL: func.func @scan
// CHECK-SAME: (%[[X:.*]]: tensor<2x5xi32>, %[[C:.*]]: tensor<2xi32>)
// CHECK: stablehlo.while(%[[I:.*]] = %{{.*}}, %[[OUT:.*]] = %{{.*}}, %[[CARRY:.*]] = %[[C]])
// CHECK: %[[ROW:.*]] = stablehlo.dynamic_slice %[[X]], %{{.*}}, %[[I]], sizes = [2, 1]
// CHECK: %[[IN:.*]] = stablehlo.reshape %[[ROW]] : (tensor<2x1xi32>) -> tensor<2xi32>
// CHECK: %[[SUM:.*]] = stablehlo.add %[[IN]], %[[CARRY]] : tensor<2xi32>
// CHECK: %[[UPDATE:.*]] = stablehlo.reshape %[[SUM]] : (tensor<2xi32>) -> tensor<2x1xi32>
// CHECK: %[[NEXT:.*]] = stablehlo.dynamic_update_slice %[[OUT]], %[[UPDATE]]
// CHECK: stablehlo.return %{{.*}}, %[[NEXT]], %[[SUM]]
func.func @scan(%x: tensor<2x5xi32>, %c: tensor<2xi32>) -> (tensor<2x5xi32>, tensor<2xi32>) {
  %0:2 = chlo.scan(%x) inits (%c) dimension=1 {
  ^bb0(%input: tensor<2xi32>, %carry: tensor<2xi32>):
    %1 = stablehlo.add %input, %carry : tensor<2xi32>
    stablehlo.return %1, %1 : tensor<2xi32>, tensor<2xi32>
  } : (tensor<2x5xi32>, tensor<2xi32>) -> (tensor<2x5xi32>, tensor<2xi32>)
  return %0#0, %0#1 : tensor<2x5xi32>, tensor<2xi32>
}

// -----

// CHECK-LABEL: func.func @broadcast
// CHECK-SAME: (%[[X:.*]]: tensor<3x1xf32>, %[[Y:.*]]: tensor<4xf32>)
// CHECK: %[[A:.*]] = stablehlo.broadcast_in_dim %[[X]], dims = [0, 1] : (tensor<3x1xf32>) -> tensor<3x4xf32>
// CHECK: %[[B:.*]] = stablehlo.broadcast_in_dim %[[Y]], dims = [1] : (tensor<4xf32>) -> tensor<3x4xf32>
// CHECK: stablehlo.atan2 %[[A]], %[[B]] : tensor<3x4xf32>
func.func @broadcast(%x: tensor<3x1xf32>, %y: tensor<4xf32>) -> tensor<3x4xf32> {
  %0 = chlo.broadcast_atan2 %x, %y : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

// Few elements of long lines are selected; a quarter of them, or those of 64 bits, are sorted out.

// CHECK-LABEL: func.func @selected
// CHECK: chlo.top_k(%x, k = 64)
// CHECK: stablehlo.sort
// CHECK: stablehlo.sort
func.func @selected(%x: tensor<2x256xf32>, %y: tensor<256xf64>) -> (tensor<2x64xf32>, tensor<2x65xf32>, tensor<8xf64>) {
  %a, %i = chlo.top_k(%x, k = 64) : tensor<2x256xf32> -> (tensor<2x64xf32>, tensor<2x64xi32>)
  %b, %j = chlo.top_k(%x, k = 65) : tensor<2x256xf32> -> (tensor<2x65xf32>, tensor<2x65xi32>)
  %c, %k = chlo.top_k(%y, k = 8) : tensor<256xf64> -> (tensor<8xf64>, tensor<8xi32>)
  return %a, %b, %c : tensor<2x64xf32>, tensor<2x65xf32>, tensor<8xf64>
}

// -----

// CHECK-LABEL: func.func @lanes_in_groups
// CHECK: stablehlo.sort
module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64}>} {
  func.func @lanes_in_groups(%x: tensor<2x256xf32>) -> tensor<2x8xf32> {
    %a, %i = chlo.top_k(%x, k = 8) : tensor<2x256xf32> -> (tensor<2x8xf32>, tensor<2x8xi32>)
    return %a : tensor<2x8xf32>
  }
}
