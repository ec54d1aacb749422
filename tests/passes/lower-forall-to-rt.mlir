// RUN: stepwell-opt %s --lower-forall-to-rt --split-input-file | filecheck %s

// CHECK-LABEL: kernel.func @two_dims
// CHECK:         rt.parallel_for (%task) = 0 to 32 grain 3 {
// CHECK-NEXT:      %[[N:.*]] = arith.constant 8 : index
// CHECK-NEXT:      %j = arith.remui %task, %[[N]] : index
// CHECK-NEXT:      %[[I:.*]] = arith.divui %task, %[[N]] : index
// CHECK-NEXT:      %[[TWO:.*]] = arith.constant 2 : index
// CHECK-NEXT:      %i = arith.muli %[[I]], %[[TWO]] : index
// CHECK-NEXT:      memref.store %v, %o[%i, %j] : memref<8x8xf32>
kernel.func @two_dims(%o: memref<8x8xf32>) attributes {access = ["write"], schedule = #kernel.schedule<"loops", {chunk = 3 : i64}>} {
  %v = arith.constant 0.0 : f32
  scf.forall (%i, %j) = (0, 0) to (8, 8) step (2, 1) {
    memref.store %v, %o[%i, %j] : memref<8x8xf32>
  }
  kernel.return
}

// -----

// One task is inlined; a schedule that forbids workers, and an inner forall, are loops.

// CHECK-LABEL: kernel.func @once
// CHECK-NOT:     scf.for
// CHECK:         memref.store
kernel.func @once(%o: memref<8xf32>) attributes {access = ["write"]} {
  %v = arith.constant 0.0 : f32
  scf.forall (%i) in (1) {
    memref.store %v, %o[%i] : memref<8xf32>
  }
  kernel.return
}

// CHECK-LABEL: kernel.func @serial
// CHECK-NOT:     rt.parallel_for
// CHECK:         scf.for
kernel.func @serial(%o: memref<8xf32>) attributes {access = ["write"], schedule = #kernel.schedule<"loops", {parallel = false}>} {
  %v = arith.constant 0.0 : f32
  scf.forall (%i) in (8) {
    memref.store %v, %o[%i] : memref<8xf32>
  }
  kernel.return
}

// CHECK-LABEL: kernel.func @nested
// CHECK:         rt.parallel_for
// CHECK:           scf.for
kernel.func @nested(%o: memref<8x8xf32>) attributes {access = ["write"]} {
  %v = arith.constant 0.0 : f32
  scf.forall (%i) in (8) {
    scf.forall (%j) in (8) {
      memref.store %v, %o[%i, %j] : memref<8x8xf32>
    }
  }
  kernel.return
}

// -----

// A reduction is shared out in blocks, whose values are merged in order.

// CHECK-LABEL: func.func @reduction
// CHECK:         %[[P:.*]] = memref.alloca() : memref<4xf32>
// CHECK:         rt.parallel_for (%[[B:.*]]) = 0 to 4 grain 1 {
// CHECK:           %[[END:.*]] = arith.minsi
// CHECK:           %[[FIRST:.*]] = memref.load %x
// CHECK:           %[[V:.*]] = scf.for %{{.*}} = %{{.*}} to %[[END]] step %{{.*}} iter_args(%{{.*}} = %[[FIRST]]) -> (f32)
// CHECK:           memref.store %[[V]], %[[P]][%[[B]]]
// CHECK:         scf.for {{.*}} iter_args(%[[T:.*]] = %zero) -> (f32) {
// CHECK-NEXT:      %[[L:.*]] = memref.load %[[P]]
// CHECK-NEXT:      arith.subf %[[T]], %[[L]]
func.func @reduction(%x: memref<100xf32>, %zero: f32) -> f32 {
  %s = rt.parallel_reduce (%i) = 0 to 100 grain 30 init(%zero : f32) {
    %v = memref.load %x[%i] : memref<100xf32>
    rt.partial %v : f32
  } combine (%a : f32, %b : f32) {
    %c = arith.subf %a, %b : f32
    rt.partial %c : f32
  }
  func.return %s : f32
}

// CHECK-LABEL: func.func @nothing
// CHECK-NEXT:    func.return %zero : f32
func.func @nothing(%zero: f32) -> f32 {
  %s = rt.parallel_reduce (%i) = 0 to 0 grain 30 init(%zero : f32) {
    rt.partial %zero : f32
  } combine (%a : f32, %b : f32) {
    rt.partial %b : f32
  }
  func.return %s : f32
}

// One inside of a task, and one of a kernel that has one worker, are loops.

// CHECK-LABEL: kernel.func @inside
// CHECK:         rt.parallel_for
// CHECK-NOT:     rt.parallel_for
// CHECK-NOT:     memref.alloca
// CHECK-LABEL: kernel.func @serial
// CHECK-NOT:     rt.parallel_for
// CHECK-NOT:     memref.alloca
kernel.func @inside(%o: memref<8xindex>) attributes {access = ["write"]} {
  %zero = arith.constant 0 : index
  scf.forall (%t) in (8) {
    %s = rt.parallel_reduce (%i) = 0 to 100 grain 30 init(%zero : index) {
      rt.partial %i : index
    } combine (%a : index, %b : index) {
      %c = arith.addi %a, %b : index
      rt.partial %c : index
    }
    memref.store %s, %o[%t] : memref<8xindex>
  }
  kernel.return
}
kernel.func @serial(%o: memref<1xindex>) attributes {access = ["write"], schedule = #kernel.schedule<"loops", {parallel = false}>} {
  %zero = arith.constant 0 : index
  %s = rt.parallel_reduce (%i) = 0 to 100 grain 30 init(%zero : index) {
    rt.partial %i : index
  } combine (%a : index, %b : index) {
    %c = arith.addi %a, %b : index
    rt.partial %c : index
  }
  memref.store %s, %o[%zero] : memref<1xindex>
  kernel.return
}
