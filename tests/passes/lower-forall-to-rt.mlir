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
