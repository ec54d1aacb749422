// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @loops
// CHECK:       rt.parallel_for (%[[I:.*]]) = 0 to 64 grain 4 {
// CHECK-NEXT:    %{{.*}} = rt.worker_id : index
// CHECK-NEXT:    %{{.*}} = memref.load %{{.*}}[%[[I]]] : memref<64xf32>
// CHECK-NEXT:  }
// CHECK-NEXT:  rt.parallel_for (%{{.*}}) = 0 to %n grain 1 {
// CHECK-NEXT:  } attributes {hint}
func.func @loops(%n: index, %x: memref<64xf32>) {
  rt.parallel_for (%i) = 0 to 64 grain 4 {
    %w = rt.worker_id : index
    %v = memref.load %x[%i] : memref<64xf32>
  }
  rt.parallel_for (%i) = 0 to %n grain 1 {
  } attributes {hint}
  func.return
}

// CHECK-LABEL: func.func @statuses
// CHECK:       %[[S:.*]] = rt.parallel_for (%[[I:.*]]) = 0 to 64 grain 4 -> i32 {
// CHECK-NEXT:    %[[V:.*]] = memref.load %{{.*}}[%[[I]]] : memref<64xi32>
// CHECK-NEXT:    rt.yield %[[V]] : i32
// CHECK-NEXT:  }
// CHECK-NEXT:  %[[F:.*]] = rt.spawn {
// CHECK-NEXT:    memref.store %[[S]], %{{.*}}[%{{.*}}] : memref<64xi32>
// CHECK-NEXT:  } attributes {hint}
// CHECK-NEXT:  %[[G:.*]] = rt.spawn {
// CHECK-NEXT:    rt.yield %[[S]] : i32
// CHECK-NEXT:  }
// CHECK-NEXT:  %{{.*}} = rt.await %[[G]]
// CHECK-NEXT:  %{{.*}} = rt.await %[[F]]
func.func @statuses(%x: memref<64xi32>, %k: index) {
  %s = rt.parallel_for (%i) = 0 to 64 grain 4 -> i32 {
    %v = memref.load %x[%i] : memref<64xi32>
    rt.yield %v : i32
  }
  %f = rt.spawn {
    memref.store %s, %x[%k] : memref<64xi32>
  } attributes {hint}
  %g = rt.spawn {
    rt.yield %s : i32
  }
  %second = rt.await %g
  %first = rt.await %f
  func.return
}

// CHECK-LABEL: func.func @atomics
// CHECK:       rt.atomic_rmw add seq_cst %v, %m[%i] : memref<?xi64>
// CHECK-NEXT:  %[[L:.*]] = rt.atomic_load acquire %m[%i] : memref<?xi64>
// CHECK-NEXT:  rt.atomic_store release %[[L]], %m[%i] : memref<?xi64>
// CHECK-NEXT:  %{{.*}}, %{{.*}} = rt.compare_exchange acq_rel %v, %[[L]], %m[%i] : memref<?xi64>
// CHECK-NEXT:  rt.fence seq_cst
// CHECK-NEXT:  rt.pause
func.func @atomics(%m: memref<?xi64>, %v: i64, %i: index) {
  %o = rt.atomic_rmw add seq_cst %v, %m[%i] : memref<?xi64>
  %l = rt.atomic_load acquire %m[%i] : memref<?xi64>
  rt.atomic_store release %l, %m[%i] : memref<?xi64>
  %old, %ok = rt.compare_exchange acq_rel %v, %l, %m[%i] : memref<?xi64>
  rt.fence seq_cst
  rt.pause
  func.return
}

// CHECK-LABEL: func.func @calls
// CHECK:       rt.call_external @sched_yield() : () -> i32
// CHECK-NEXT:  rt.call_external @syscall(%v, %v) variadic 1 : (i64, i64) -> i64
// CHECK-NEXT:  %[[P:.*]] = rt.func_addr @calls : !rt.ptr
// CHECK-NEXT:  rt.call_indirect %[[P]](%v) : (i64) -> ()
// CHECK-NEXT:  %[[N:.*]] = rt.ptr_to_int %[[P]] : !rt.ptr to i64
// CHECK-NEXT:  rt.int_to_ptr %[[N]] : i64 to !rt.ptr
// CHECK-NEXT:  %[[Q:.*]] = rt.memref_to_ptr %x : memref<4xf32> to !rt.ptr
// CHECK-NEXT:  rt.ptr_to_memref %[[Q]] : !rt.ptr to memref<?xf32>
func.func @calls(%v: i64, %x: memref<4xf32>) {
  %r = rt.call_external @sched_yield() : () -> i32
  %s = rt.call_external @syscall(%v, %v) variadic 1 : (i64, i64) -> i64
  %p = rt.func_addr @calls : !rt.ptr
  rt.call_indirect %p(%v) : (i64) -> ()
  %pi = rt.ptr_to_int %p : !rt.ptr to i64
  %pp = rt.int_to_ptr %pi : i64 to !rt.ptr
  %q = rt.memref_to_ptr %x : memref<4xf32> to !rt.ptr
  %y = rt.ptr_to_memref %q : !rt.ptr to memref<?xf32>
  func.return
}

// CHECK-LABEL: func.func @reduce
// CHECK:         %[[S:.*]], %[[N:.*]] = rt.parallel_reduce (%i) = 0 to 1000 grain 64 init(%zero, %i0 : f32, index) {
// CHECK-NEXT:      %v = memref.load %x[%i] : memref<1000xf32>
// CHECK-NEXT:      rt.partial %v, %i : f32, index
// CHECK-NEXT:    } combine (%a : f32, %b : index, %c : f32, %d : index) {
// CHECK-NEXT:      %e = arith.addf %a, %c : f32
// CHECK-NEXT:      rt.partial %e, %d : f32, index
// CHECK-NEXT:    }
// CHECK:         rt.parallel_reduce
// CHECK:         } attributes {note = "kept"}
func.func @reduce(%x: memref<1000xf32>, %zero: f32, %i0: index) {
  %s, %n = rt.parallel_reduce (%i) = 0 to 1000 grain 64 init(%zero, %i0 : f32, index) {
    %v = memref.load %x[%i] : memref<1000xf32>
    rt.partial %v, %i : f32, index
  } combine (%a : f32, %b : index, %c : f32, %d : index) {
    %e = arith.addf %a, %c : f32
    rt.partial %e, %d : f32, index
  }
  %m = rt.parallel_reduce (%i) = 0 to 0 grain 1 init(%zero : f32) {
    rt.partial %zero : f32
  } combine (%a : f32, %b : f32) {
    rt.partial %b : f32
  } attributes {note = "kept"}
  func.return
}
