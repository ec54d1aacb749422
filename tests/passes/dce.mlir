// RUN: stepwell-opt %s --dce --split-input-file | filecheck %s

// CHECK-LABEL: func.func @chain
// CHECK-SAME: (%[[M:.*]]: memref<4xf32>, %[[I:.*]]: index, %[[V:.*]]: f32)
// CHECK-NEXT: memref.store %[[V]], %[[M]][%[[I]]]
// CHECK-NEXT: func.return
func.func @chain(%m: memref<4xf32>, %i: index, %v: f32) {
  %0 = arith.addf %v, %v : f32
  %1 = arith.mulf %0, %0 : f32
  %2 = memref.load %m[%i] : memref<4xf32>
  memref.store %v, %m[%i] : memref<4xf32>
  func.return
}

// -----

// A carry that only feeds itself goes, also when something dead reads it.

// CHECK-LABEL: func.func @carries
// CHECK-SAME: (%[[X:.*]]: f32, %[[Y:.*]]: f32, %[[N:.*]]: index)
// CHECK: %[[R:.*]] = scf.for %{{.*}} = %{{.*}} to %[[N]] step %{{.*}} iter_args(%[[A:.*]] = %[[X]]) -> (f32) {
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[A]] : f32
// CHECK-NEXT: scf.yield %[[S]] : f32
// CHECK: func.return %[[R]] : f32
func.func @carries(%x: f32, %y: f32, %n: index) -> f32 {
  %one = arith.constant 1 : index
  %0:2 = scf.for %i = %one to %n step %one iter_args(%a = %x, %b = %y) -> (f32, f32) {
    %1 = arith.addf %a, %a : f32
    %2 = arith.mulf %b, %a : f32
    scf.yield %1, %2 : f32, f32
  }
  func.return %0#0 : f32
}

// -----

// A carry the result does not need, but another needed carry does, stays.

// CHECK-LABEL: func.func @needed_inside
// CHECK: scf.for {{.*}} -> (f32, f32) {
func.func @needed_inside(%x: f32, %y: f32, %n: index) -> f32 {
  %one = arith.constant 1 : index
  %0:2 = scf.for %i = %one to %n step %one iter_args(%a = %x, %b = %y) -> (f32, f32) {
    %1 = arith.addf %a, %b : f32
    %2 = arith.mulf %b, %b : f32
    scf.yield %1, %2 : f32, f32
  }
  func.return %0#0 : f32
}

// -----

// CHECK-LABEL: func.func @while
// CHECK: scf.while (%[[A:.*]] = %{{.*}}) : (f32) -> f32 {
// CHECK: scf.condition(%{{.*}}) %[[A]] : f32
// CHECK: ^{{.*}}(%[[B:.*]]: f32):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[B]], %[[B]]
// CHECK-NEXT: scf.yield %[[S]] : f32
func.func @while(%x: f32, %y: f32) -> f32 {
  %0:2 = scf.while (%a = %x, %b = %y) : (f32, f32) -> (f32, f32) {
    %c = arith.cmpf olt, %a, %x : f32
    scf.condition(%c) %a, %b : f32, f32
  } do {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.addf %a, %a : f32
    %2 = arith.mulf %a, %b : f32
    scf.yield %1, %2 : f32, f32
  }
  func.return %0#0 : f32
}

// -----

// The condition reads a carry nobody else wants: it stays.

// CHECK-LABEL: func.func @counter
// CHECK: stablehlo.while(%[[I:.*]] = %{{.*}}, %[[A:.*]] = %{{.*}}) : tensor<i32>, tensor<f32>
// CHECK: stablehlo.return %{{.*}}, %{{.*}} : tensor<i32>, tensor<f32>
func.func @counter(%n: tensor<i32>, %x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
  %0:3 = stablehlo.while(%i = %n, %a = %x, %b = %y) : tensor<i32>, tensor<f32>, tensor<f32>
    cond {
      %zero = stablehlo.constant dense<0> : tensor<i32>
      %1 = stablehlo.compare GT, %i, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    } do {
      %one = stablehlo.constant dense<1> : tensor<i32>
      %2 = stablehlo.subtract %i, %one : tensor<i32>
      %3 = stablehlo.add %a, %a : tensor<f32>
      %4 = stablehlo.add %b, %a : tensor<f32>
      stablehlo.return %2, %3, %4 : tensor<i32>, tensor<f32>, tensor<f32>
    }
  func.return %0#1 : tensor<f32>
}

// -----

// Unused results of a branch go, with what computed them; a branch with an effect stays.

// CHECK-LABEL: func.func @branch
// CHECK: scf.if %{{.*}} -> (f32) {
// CHECK-NEXT: memref.store
// CHECK-NEXT: scf.yield %{{.*}} : f32
// CHECK-NOT: arith.mulf
func.func @branch(%m: memref<4xf32>, %i: index, %v: f32, %c: i1) -> f32 {
  %0:2 = scf.if %c -> (f32, f32) {
    memref.store %v, %m[%i] : memref<4xf32>
    %1 = arith.mulf %v, %v : f32
    scf.yield %1, %v : f32, f32
  } else {
    scf.yield %v, %v : f32, f32
  }
  func.return %0#1 : f32
}

// -----

// A parallel loop whose result nobody uses goes; one whose result is used keeps all its inserts.

// CHECK-LABEL: func.func @forall
// CHECK: %[[R:.*]] = scf.forall
// CHECK: tensor.parallel_insert_slice
// CHECK: func.return %[[R]]
func.func @forall(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
    %1 = tensor.extract_slice %x[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %1 into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  %2 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
    %3 = tensor.extract_slice %x[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %3 into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  func.return %0 : tensor<4xf32>
}

// -----

// Nested: the inner loop's dead carry goes before the outer one's.

// CHECK-LABEL: func.func @nested
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (f32) {
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (f32) {
// CHECK-NOT: arith.mulf
func.func @nested(%x: f32, %y: f32, %n: index) -> f32 {
  %one = arith.constant 1 : index
  %0:2 = scf.for %i = %one to %n step %one iter_args(%a = %x, %b = %y) -> (f32, f32) {
    %1:2 = scf.for %j = %one to %n step %one iter_args(%c = %a, %d = %b) -> (f32, f32) {
      %2 = arith.addf %c, %c : f32
      %3 = arith.mulf %d, %c : f32
      scf.yield %2, %3 : f32, f32
    }
    scf.yield %1#0, %1#1 : f32, f32
  }
  func.return %0#0 : f32
}
