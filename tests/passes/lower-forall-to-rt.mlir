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

// -----

module attributes {stepwell.target = #stepwell.target<{arch = "x86_64", level = "avx2", vector_bits = 256 : i64, cores = 8 : i64}>} {
// Three tasks are too few for eight cores, and there is enough to do in each: the inner loop is shared out too.

// CHECK-LABEL: kernel.func @shared
// CHECK:         rt.parallel_for (%{{.*}}) = 0 to 3 grain 1 {
// CHECK:           rt.parallel_for (%{{.*}}) = 0 to 16 grain 1 {
kernel.func @shared(%o: memref<3x16xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 2000 : index
  scf.forall (%i) in (3) {
    scf.forall (%j) in (16) {
      %v = memref.load %o[%i, %j] : memref<3x16xf32>
      %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %v) -> (f32) {
        %b = arith.mulf %a, %a : f32
        scf.yield %b : f32
      }
      memref.store %r, %o[%i, %j] : memref<3x16xf32>
    }
  }
  kernel.return
}

// Eight are enough.

// CHECK-LABEL: kernel.func @enough
// CHECK:         rt.parallel_for
// CHECK-NOT:     rt.parallel_for
kernel.func @enough(%o: memref<8x16xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 2000 : index
  scf.forall (%i) in (8) {
    scf.forall (%j) in (16) {
      %v = memref.load %o[%i, %j] : memref<8x16xf32>
      %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %v) -> (f32) {
        %b = arith.mulf %a, %a : f32
        scf.yield %b : f32
      }
      memref.store %r, %o[%i, %j] : memref<8x16xf32>
    }
  }
  kernel.return
}

// Here there is little to do.

// CHECK-LABEL: kernel.func @little
// CHECK:         rt.parallel_for
// CHECK-NOT:     rt.parallel_for
kernel.func @little(%o: memref<3x16xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 20 : index
  scf.forall (%i) in (3) {
    scf.forall (%j) in (16) {
      %v = memref.load %o[%i, %j] : memref<3x16xf32>
      %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %v) -> (f32) {
        %b = arith.mulf %a, %a : f32
        scf.yield %b : f32
      }
      memref.store %r, %o[%i, %j] : memref<3x16xf32>
    }
  }
  kernel.return
}

// These tasks use scratch of their worker, which does no other task meanwhile.

// CHECK-LABEL: kernel.func @scratch
// CHECK:         rt.parallel_for
// CHECK-NOT:     rt.parallel_for
kernel.func @scratch(%o: memref<3x16xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 2000 : index
  scf.forall (%i) in (3) {
    %w = rt.worker_id : index
    scf.forall (%j) in (16) {
      %v = memref.load %o[%i, %j] : memref<3x16xf32>
      %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %v) -> (f32) {
        %b = arith.mulf %a, %a : f32
        scf.yield %b : f32
      }
      memref.store %r, %o[%i, %j] : memref<3x16xf32>
    }
  }
  kernel.return
}

// One task is none: the loop in it is the outermost.

// CHECK-LABEL: kernel.func @one
// CHECK-NOT:     scf.forall
// CHECK:         rt.parallel_for (%{{.*}}) = 0 to 16 grain 1 {
kernel.func @one(%o: memref<1x16xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 20 : index
  scf.forall (%i) in (1) {
    scf.forall (%j) in (16) {
      %v = memref.load %o[%i, %j] : memref<1x16xf32>
      %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %v) -> (f32) {
        %b = arith.mulf %a, %a : f32
        scf.yield %b : f32
      }
      memref.store %r, %o[%i, %j] : memref<1x16xf32>
    }
  }
  kernel.return
}

// Loops of the affine dialect count as well, vectors by their registers; of loops whose ends nobody knows one iteration.

// CHECK-LABEL: kernel.func @vectors
// CHECK:         rt.parallel_for (%{{.*}}) = 0 to 3 grain 1 {
// CHECK:           rt.parallel_for (%{{.*}}) = 0 to 4 grain 1 {
kernel.func @vectors(%o: memref<3x4x64xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %p = arith.constant 0.0 : f32
  scf.forall (%i, %j) in (3, 1) {
    scf.forall (%l) in (4) {
      %v = vector.transfer_read %o[%i, %l, %c0], %p {in_bounds = [true]} : memref<3x4x64xf32>, vector<64xf32>
      affine.for %k = 0 to 200 {
        %b = arith.mulf %v, %v : vector<64xf32>
        %c = arith.mulf %b, %b : vector<64xf32>
        vector.transfer_write %c, %o[%i, %l, %c0] {in_bounds = [true]} : vector<64xf32>, memref<3x4x64xf32>
      }
    }
  }
  kernel.return
}

// CHECK-LABEL: kernel.func @unknown
// CHECK:         rt.parallel_for
// CHECK-NOT:     rt.parallel_for
kernel.func @unknown(%n: index, %o: memref<3x16xf32>) attributes {access = ["read", "readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.forall (%i) in (3) {
    scf.forall (%j) in (16) {
      %v = memref.load %o[%i, %j] : memref<3x16xf32>
      %r = scf.for %k = %c0 to %n step %c1 iter_args(%a = %v) -> (f32) {
        %b = arith.mulf %a, %a : f32
        scf.yield %b : f32
      }
      memref.store %r, %o[%i, %j] : memref<3x16xf32>
    }
  }
  kernel.return
}
}
