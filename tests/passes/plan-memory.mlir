// RUN: stepwell-opt %s --plan-memory --split-input-file | filecheck %s

// %a is dead when %c is made, so they share bytes; %b lives across both.

// CHECK-LABEL: func.func @chain(%x: memref<32xf32>, %out: memref<32xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>)
// CHECK-SAME:    arena_bytes = 256 : i64, lower_bound_bytes = 256 : i64, worker_bytes = 0 : i64
// CHECK:         %[[A0:.*]] = arith.constant [[A:[0-9]+]] : index
// CHECK:         memref.view %arena[%[[A0]]][] : memref<?xi8> to memref<32xf32>
// CHECK:         arith.constant {{0|128}} : index
// CHECK:         %[[C0:.*]] = arith.constant [[A]] : index
// CHECK:         memref.view %arena[%[[C0]]][] : memref<?xi8> to memref<32xf32>
func.func @chain(%x: memref<32xf32>, %out: memref<32xf32>, %workers: memref<?x0xi8>) {
  %a = memref.alloc() : memref<32xf32>
  "memref.copy"(%x, %a) : (memref<32xf32>, memref<32xf32>) -> ()
  %b = memref.alloc() : memref<32xf32>
  "memref.copy"(%a, %b) : (memref<32xf32>, memref<32xf32>) -> ()
  %c = memref.alloc() : memref<32xf32>
  "memref.copy"(%b, %c) : (memref<32xf32>, memref<32xf32>) -> ()
  "memref.copy"(%c, %out) : (memref<32xf32>, memref<32xf32>) -> ()
  "memref.copy"(%b, %out) : (memref<32xf32>, memref<32xf32>) -> ()
  func.return
}

// -----

// %a is used in the loop it was not made in: %b must not take its place in any iteration.

// CHECK-LABEL: func.func @loop
// CHECK-SAME:    arena_bytes = 256 : i64
func.func @loop(%x: memref<32xf32>, %out: memref<32xf32>, %workers: memref<?x0xi8>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %a = memref.alloc() : memref<32xf32>
  "memref.copy"(%x, %a) : (memref<32xf32>, memref<32xf32>) -> ()
  scf.for %i = %c0 to %c8 step %c1 {
    "memref.copy"(%a, %out) : (memref<32xf32>, memref<32xf32>) -> ()
    %b = memref.alloc() : memref<32xf32>
    "memref.copy"(%x, %b) : (memref<32xf32>, memref<32xf32>) -> ()
  }
  func.return
}

// -----

// A call hands the callee its arena; two calls, one after the other, hand the same bytes.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    arena_bytes = 128 : i64
// CHECK:         %[[P:.*]] = memref.view %arena[%{{.*}}][] : memref<?xi8> to memref<128xi8>
// CHECK:         %[[Q:.*]] = "memref.cast"(%[[P]]) : (memref<128xi8>) -> memref<?xi8>
// CHECK:         func.call @callee(%x, %out, %[[Q]], %workers)
func.func private @callee(%x: memref<32xf32>, %out: memref<32xf32>, %workers: memref<?x0xi8>) {
  %a = memref.alloc() : memref<32xf32>
  "memref.copy"(%x, %a) : (memref<32xf32>, memref<32xf32>) -> ()
  "memref.copy"(%a, %out) : (memref<32xf32>, memref<32xf32>) -> ()
  func.return
}
func.func @main(%x: memref<32xf32>, %out: memref<32xf32>, %workers: memref<?x0xi8>) {
  func.call @callee(%x, %out, %workers) : (memref<32xf32>, memref<32xf32>, memref<?x0xi8>) -> ()
  func.call @callee(%x, %out, %workers) : (memref<32xf32>, memref<32xf32>, memref<?x0xi8>) -> ()
  func.return
}
