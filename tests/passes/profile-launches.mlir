// RUN: stepwell-opt %s --split-input-file --profile-launches | filecheck %s

// Every launch is between two readings of the clock; a function that launches is handed the buffer.
// CHECK: stepwell.profile = ["k0", "k1"]
module {
  // CHECK: kernel.func @k0
  // CHECK-NOT: profile
  // CHECK: kernel.return
  kernel.func @k0(%x: memref<8xf32>, %out: memref<8xf32>) attributes {access = ["read", "write"]} {
    kernel.return
  }
  kernel.func @k1(%out: memref<8xf32>) attributes {access = ["readwrite"]} {
    kernel.return
  }
  // CHECK-LABEL: func.func private @inner
  // CHECK-SAME: %[[INNER:[a-z]+]]: memref<?xi64>)
  func.func private @inner(%y: memref<8xf32>) {
    // CHECK: func.call @stepwell.profile.begin(%[[INNER]])
    // CHECK-NEXT: kernel.launch @k0
    // CHECK-NEXT: %[[SITE:.*]] = arith.constant 0 : index
    // CHECK-NEXT: func.call @stepwell.profile.end(%[[INNER]], %[[SITE]])
    %a = memref.alloc() : memref<8xf32>
    kernel.launch @k0 ins(%y : memref<8xf32>) outs(%a : memref<8xf32>)
    func.return
  }
  // CHECK-LABEL: func.func @main
  // CHECK-SAME: %[[OUTER:[a-z]+]]: memref<?xi64>) attributes
  func.func @main(%x: memref<8xf32>, %out: memref<8xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>)
      attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<8xf32>"], outputs = ["tensor<8xf32>"], donated = array<i64>}>} {
    // CHECK: func.call @inner(%{{.*}}, %[[OUTER]])
    func.call @inner(%x) : (memref<8xf32>) -> ()
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    // CHECK: scf.for
    // CHECK-NEXT: func.call @stepwell.profile.begin(%[[OUTER]])
    // CHECK-NEXT: kernel.launch @k1
    scf.for %i = %c0 to %c3 step %c1 {
      kernel.launch @k1 outs(%out : memref<8xf32>)
    }
    func.return
  }
  // CHECK: func.func private @stepwell.profile.begin
  // CHECK: rt.call_external @clock_gettime
  // CHECK: func.func private @stepwell.profile.end
}
