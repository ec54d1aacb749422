// RUN: stepwell-opt %s --bufferize --split-input-file | filecheck %s

// A kernel writes its destination; the launch scratch is an operand, the worker's is a row of a slab.

// CHECK-LABEL: kernel.func @phases(%x: memref<8xf32>, %o: memref<8xf32>, %scratch: memref<64xi8>, %workers: memref<?x768xi8>)
// CHECK-SAME:    scratch_bytes = 64 : i64, worker_bytes = 768 : i64
// CHECK:         %[[T:.*]] = memref.view %scratch[%{{.*}}][] : memref<64xi8> to memref<8xf32>
// CHECK:         scf.forall (%[[I:.*]]) in (2) {
// CHECK:           %[[FLAT:.*]] = memref.collapse_shape %workers
// CHECK:           %[[ID:.*]] = rt.worker_id : index
// CHECK:           %[[AT:.*]] = arith.muli %[[ID]], %{{.*}} : index
// CHECK:           %[[W:.*]] = memref.view %[[FLAT]][%[[AT]]][] : memref<?xi8> to memref<4xf32>
// CHECK:           %[[S:.*]] = memref.subview %[[T]][%off] [4] [1]
// CHECK:           vector.transfer_write %{{.*}}, %[[W]][%c0]
// CHECK:           vector.transfer_write %{{.*}}, %[[S]][%c0]
// CHECK-NOT:     memref.copy
// CHECK:         kernel.return{{$}}
kernel.func @phases(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %t = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<8xf32>
  %q = scf.forall (%i) in (2) shared_outs(%s = %t) -> (tensor<8xf32>) {
    %off = affine.apply affine_map<(d0) -> (d0 * 4)> (%i)
    %sl = tensor.extract_slice %s[%off] [4] [1] : tensor<8xf32> to tensor<4xf32>
    %v = vector.transfer_read %x[%off], %z {in_bounds = [true]} : tensor<8xf32>, vector<4xf32>
    %w = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<4xf32>
    %w1 = vector.transfer_write %v, %w[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
    %v2 = vector.transfer_read %w1[%c0], %z {in_bounds = [true]} : tensor<4xf32>, vector<4xf32>
    %r1 = vector.transfer_write %v2, %sl[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r1 into %s[%off] [4] [1] : tensor<4xf32> into tensor<8xf32>
    }
  }
  %r = scf.forall (%i) in (1) shared_outs(%s = %o) -> (tensor<8xf32>) {
    %v = vector.transfer_read %q[%c0], %z {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %r1 = vector.transfer_write %v, %s[%c0] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r1 into %s[0] [8] [1] : tensor<8xf32> into tensor<8xf32>
    }
  }
  kernel.return %r : tensor<8xf32>
}

// -----

// A task that reads the loop's output where another task writes reads a copy of what was there before.

// CHECK-LABEL: kernel.func @neighbours(%o: memref<8xf32>, %scratch: memref<64xi8>)
// CHECK:         %[[C:.*]] = memref.view %scratch
// CHECK:         "memref.copy"(%o, %[[C]])
// CHECK:         scf.forall (%[[I:.*]]) in (7) {
// CHECK:           %[[V:.*]] = memref.load %o[%next]
// CHECK:           %[[S:.*]] = memref.subview %[[C]][%[[I]]] [1] [1]
// CHECK:           memref.store %[[V]], %[[S]]
// CHECK:         "memref.copy"(%[[C]], %o)
kernel.func @neighbours(%o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.forall (%i) in (7) shared_outs(%s = %o) -> (tensor<8xf32>) {
    %next = arith.addi %i, %c1 : index
    %v = tensor.extract %s[%next] : tensor<8xf32>
    %sl = tensor.extract_slice %s[%i] [1] [1] : tensor<8xf32> to tensor<1xf32>
    %r1 = tensor.insert %v into %sl[%c0] : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r1 into %s[%i] [1] [1] : tensor<1xf32> into tensor<8xf32>
    }
  }
  kernel.return %r : tensor<8xf32>
}

// -----

// The loop's carry is the output; a launch that both reads and makes it goes through a temporary of one element.

// CHECK-LABEL: func.func @count(%n: memref<i32>, %out: memref<i32>, %workers: memref<?x0xi8>)
// CHECK:         %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK:         memref.store %[[ZERO]], %out[]
// CHECK:         scf.while () : () -> () {
// CHECK:           %[[B:.*]] = memref.alloc() : memref<i1>
// CHECK:           kernel.launch @below ins(%out, %n : memref<i32>, memref<i32>) outs(%[[B]] : memref<i1>)
// CHECK:           %[[C:.*]] = memref.load %[[B]][] : memref<i1>
// CHECK:           scf.condition(%[[C]])
// CHECK:         } do {
// CHECK:           %[[N:.*]] = memref.alloc() : memref<i32>
// CHECK:           kernel.launch @next ins(%out : memref<i32>) outs(%[[N]] : memref<i32>)
// CHECK:           %[[V:.*]] = memref.load %[[N]][] : memref<i32>
// CHECK:           memref.store %[[V]], %out[] : memref<i32>
// CHECK:           scf.yield
kernel.func @next(%i: tensor<i32>, %o: tensor<i32>) -> tensor<i32> attributes {access = ["read", "write"]} {
  %e = tensor.extract %i[] : tensor<i32>
  %n = arith.addi %e, %e : i32
  %r = tensor.insert %n into %o[] : tensor<i32>
  kernel.return %r : tensor<i32>
}
kernel.func @below(%i: tensor<i32>, %n: tensor<i32>, %o: tensor<i1>) -> tensor<i1>
    attributes {access = ["read", "read", "write"]} {
  %e = tensor.extract %i[] : tensor<i32>
  %m = tensor.extract %n[] : tensor<i32>
  %c = arith.cmpi slt, %e, %m : i32
  %r = tensor.insert %c into %o[] : tensor<i1>
  kernel.return %r : tensor<i1>
}
func.func @count(%n: tensor<i32>) -> tensor<i32> {
  %zero = arith.constant dense<0> : tensor<i32>
  %r = scf.while (%i = %zero) : (tensor<i32>) -> tensor<i32> {
    %d = tensor.empty() : tensor<i1>
    %c = kernel.launch @below ins(%i, %n : tensor<i32>, tensor<i32>) outs(%d : tensor<i1>) -> tensor<i1>
    %b = tensor.extract %c[] : tensor<i1>
    scf.condition(%b) %i : tensor<i32>
  } do {
  ^bb0(%i: tensor<i32>):
    %e = tensor.empty() : tensor<i32>
    %j = kernel.launch @next ins(%i : tensor<i32>) outs(%e : tensor<i32>) -> tensor<i32>
    scf.yield %j : tensor<i32>
  }
  func.return %r : tensor<i32>
}
