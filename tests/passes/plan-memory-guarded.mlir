// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(plan-memory)' | filecheck %s

// Each temporary has pages of its own, ends in front of one without access, and is poisoned before and after its life.
module attributes {stepwell.guard = {mode = "end", page = 4096 : i64}} {
  kernel.func @copy(%x: memref<8xf32>, %o: memref<8xf32>) attributes {access = ["read", "write"]} {
    kernel.return
  }
  // CHECK-LABEL: func.func @main
  // CHECK-SAME: guard_pages = array<i64: 4096, 12288>, guard_buffers = array<i64: 4064, 32, 12256, 32>
  func.func @main(%x: memref<8xf32>, %out: memref<8xf32>, %workers: memref<?x0xi8>) {
    // CHECK: %t = memref.view %arena[%{{.*}}][] : memref<?xi8> to memref<8xf32>
    // CHECK-NEXT: rt.poison %t : memref<8xf32>
    // CHECK-NEXT: kernel.launch @copy ins(%x
    // CHECK: %u = memref.view
    // CHECK-NEXT: rt.poison %u : memref<8xf32>
    // CHECK-NEXT: kernel.launch @copy ins(%t
    // CHECK-NEXT: rt.poison %t : memref<8xf32>
    // CHECK-NEXT: kernel.launch @copy ins(%u
    // CHECK-NEXT: rt.poison %u : memref<8xf32>
    // CHECK-NEXT: func.return
    %t = memref.alloc() : memref<8xf32>
    kernel.launch @copy ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
    %u = memref.alloc() : memref<8xf32>
    kernel.launch @copy ins(%t : memref<8xf32>) outs(%u : memref<8xf32>)
    kernel.launch @copy ins(%u : memref<8xf32>) outs(%out : memref<8xf32>)
    func.return
  }
}

// -----

// At the start: the page without access comes first. What is used in a loop dies after the loop.
module attributes {stepwell.guard = {mode = "start", page = 4096 : i64}} {
  kernel.func @copy(%x: memref<8xf32>, %o: memref<8xf32>) attributes {access = ["read", "write"]} {
    kernel.return
  }
  // CHECK-LABEL: func.func @main
  // CHECK-SAME: guard_pages = array<i64: 0>, guard_buffers = array<i64: 4096, 32>
  func.func @main(%x: memref<8xf32>, %out: memref<8xf32>, %workers: memref<?x0xi8>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %t = memref.alloc() : memref<8xf32>
    // CHECK: rt.poison %t
    // CHECK-NEXT: scf.for
    scf.for %i = %c0 to %c4 step %c1 {
      kernel.launch @copy ins(%x : memref<8xf32>) outs(%t : memref<8xf32>)
      kernel.launch @copy ins(%t : memref<8xf32>) outs(%out : memref<8xf32>)
    }
    // CHECK: }
    // CHECK-NEXT: rt.poison %t
    func.return
  }
}

// -----

// A constant has no pages in the object file: its uses read a guarded copy.
module attributes {stepwell.guard = {mode = "end", page = 4096 : i64}} {
  "memref.global"() <{sym_name = "c", type = memref<2xf32>, initial_value = dense<[1.0, 2.0]> : tensor<2xf32>, sym_visibility = "private", constant}> : () -> ()
  kernel.func @copy(%x: memref<2xf32>, %o: memref<2xf32>) attributes {access = ["read", "write"]} {
    kernel.return
  }
  // CHECK-LABEL: func.func @main
  func.func @main(%out: memref<2xf32>, %workers: memref<?x0xi8>) {
    // CHECK: %[[C:.*]] = memref.get_global @c
    // CHECK: %[[V:.*]] = memref.view %arena
    // CHECK: "memref.copy"(%[[C]], %[[V]])
    // CHECK: kernel.launch @copy ins(%[[V]]
    %c = memref.get_global @c : memref<2xf32>
    kernel.launch @copy ins(%c : memref<2xf32>) outs(%out : memref<2xf32>)
    func.return
  }
}
