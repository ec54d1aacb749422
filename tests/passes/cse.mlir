// RUN: stepwell-opt %s --cse --split-input-file | filecheck %s

// CHECK-LABEL: func.func @straight
// CHECK-NEXT: %[[A:.*]] = arith.addi
// CHECK-NEXT: %[[M:.*]] = arith.muli %[[A]], %[[A]]
// CHECK-NEXT: func.return %[[M]]
func.func @straight(%x: i32, %y: i32) -> i32 {
  %0 = arith.addi %x, %y : i32
  %1 = arith.addi %x, %y : i32
  %2 = arith.muli %0, %1 : i32
  func.return %2 : i32
}

// -----

// Attributes, operand order and signs of zero tell ops apart.

// CHECK-LABEL: func.func @different
// CHECK-COUNT-2: arith.constant
// CHECK-COUNT-2: arith.subi
// CHECK-COUNT-2: arith.cmpi
func.func @different(%x: i32, %y: i32) -> (f32, f32, i32, i32, i1, i1) {
  %p = arith.constant 0.0 : f32
  %n = arith.constant -0.0 : f32
  %0 = arith.subi %x, %y : i32
  %1 = arith.subi %y, %x : i32
  %2 = arith.cmpi slt, %x, %y : i32
  %3 = arith.cmpi ult, %x, %y : i32
  func.return %p, %n, %0, %1, %2, %3 : f32, f32, i32, i32, i1, i1
}

// -----

// What is computed before a branch is there in both; what one branch computes is not there in the other or after.

// CHECK-LABEL: func.func @scopes
// CHECK-SAME: (%[[X:.*]]: i32, %[[C:.*]]: i1)
// CHECK-NEXT: %[[A:.*]] = arith.addi %[[X]], %[[X]]
// CHECK-NEXT: scf.if
// CHECK-NEXT: %[[M:.*]] = arith.muli %[[A]], %[[A]]
// CHECK-NEXT: scf.yield %[[M]]
// CHECK: else
// CHECK-NEXT: %[[N:.*]] = arith.muli %[[A]], %[[A]]
// CHECK-NEXT: scf.yield %[[N]]
// CHECK: arith.muli %[[A]], %[[A]]
func.func @scopes(%x: i32, %c: i1) -> (i32, i32) {
  %0 = arith.addi %x, %x : i32
  %1 = scf.if %c -> (i32) {
    %2 = arith.addi %x, %x : i32
    %3 = arith.muli %2, %2 : i32
    scf.yield %3 : i32
  } else {
    %4 = arith.muli %0, %0 : i32
    scf.yield %4 : i32
  }
  %5 = arith.muli %0, %0 : i32
  func.return %1, %5 : i32, i32
}

// -----

// Regions count: equal bodies merge, a different one and one with other captures do not.

// CHECK-LABEL: func.func @regions
// CHECK-COUNT-3: stablehlo.reduce
// CHECK-NOT: stablehlo.reduce
// CHECK: func.return %[[A:.*]], %[[A]], %{{.*}}, %{{.*}}
func.func @regions(%x: tensor<4x8xf32>, %i: tensor<f32>, %c: i1)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<8xf32>) {
  %0 = stablehlo.reduce(%x init: %i) applies stablehlo.add across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = stablehlo.reduce(%x init: %i) applies stablehlo.add across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = stablehlo.reduce(%x init: %i) applies stablehlo.maximum across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = stablehlo.reduce(%x init: %i) applies stablehlo.add across dimensions = [0] : (tensor<4x8xf32>, tensor<f32>) -> tensor<8xf32>
  func.return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<8xf32>
}

// -----

// CHECK-LABEL: func.func @captures
// CHECK-COUNT-2: scf.if
// CHECK-NOT: scf.if
func.func @captures(%x: f32, %y: f32, %c: i1) -> (f32, f32, f32) {
  %0 = scf.if %c -> (f32) {
    scf.yield %x : f32
  } else {
    scf.yield %y : f32
  }
  %1 = scf.if %c -> (f32) {
    scf.yield %y : f32
  } else {
    scf.yield %x : f32
  }
  %2 = scf.if %c -> (f32) {
    scf.yield %x : f32
  } else {
    scf.yield %y : f32
  }
  func.return %0, %1, %2 : f32, f32, f32
}

// -----

// Effects, destinations and other functions stay apart.

// CHECK-LABEL: func.func @effects
// CHECK-COUNT-2: memref.load
// CHECK-COUNT-2: tensor.empty
func.func @effects(%m: memref<4xf32>, %i: index, %v: f32) -> (f32, f32, tensor<4xf32>, tensor<4xf32>) {
  %0 = memref.load %m[%i] : memref<4xf32>
  memref.store %v, %m[%i] : memref<4xf32>
  %1 = memref.load %m[%i] : memref<4xf32>
  %2 = tensor.empty() : tensor<4xf32>
  %3 = tensor.empty() : tensor<4xf32>
  func.return %0, %1, %2, %3 : f32, f32, tensor<4xf32>, tensor<4xf32>
}
