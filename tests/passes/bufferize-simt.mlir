// RUN: stepwell-opt %s --bufferize --split-input-file | filecheck %s

// A ring in block scratch: subgroups read one slot of it, then write another, in a loop that carries it. All in place, at the
// start of the block's task; attributes stay.

// CHECK-LABEL: kernel.func @ring(%x: memref<64x8xf32>, %o: memref<4x8xf32>)
// CHECK-NOT:     memref.copy
// CHECK:         scf.forall (%[[B:.*]]) in (2) {
// CHECK-NEXT:      %[[SUM:.*]] = memref.alloca() {scratch = #kernel.scratch<subgroup>} : memref<2x1x8xf32>
// CHECK-NEXT:      %[[RING:.*]] = memref.alloca() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : memref<2x2x8xf32>
// CHECK:           scf.forall (%{{.*}}) in (2) {
// CHECK:             %[[S:.*]] = memref.subview %[[RING]][0, %{{.*}}, 0] [1, 1, 8] [1, 1, 1]
// CHECK:             %[[V:.*]] = vector.transfer_read %x
// CHECK-NEXT:        vector.transfer_write %[[V]], %[[S]][%c0, %c0, %c0] {async, in_bounds = [true]}
// CHECK:           } {mapping = [#kernel.level<subgroup>]}
// CHECK:           scf.for
// CHECK-NOT:         iter_args
// CHECK:             scf.forall (%[[W:.*]]) in (2) {
// CHECK:               vector.transfer_read %[[RING]]
// CHECK:               %[[T:.*]] = memref.subview %[[SUM]][%[[W]], 0, 0] [1, 1, 8] [1, 1, 1]
// CHECK:               vector.transfer_read %[[T]]
// CHECK:               vector.transfer_write %{{.*}}, %[[T]][%c0, %c0, %c0]
// CHECK:             } {wait = 0 : i64, mapping = [#kernel.level<subgroup>]}
// CHECK:             scf.forall (%{{.*}}) in (2) {
// CHECK:               memref.subview %[[RING]]
// CHECK:             } {mapping = [#kernel.level<subgroup>]}
// CHECK:           scf.forall (%[[W2:.*]]) in (2) {
// CHECK:             vector.transfer_read %[[SUM]][%[[W2]], %c0, %c0]
// CHECK:           } {mapping = [#kernel.level<subgroup>]}
// CHECK:         } {mapping = [#kernel.level<block>]}
// CHECK-NEXT:    kernel.return
kernel.func @ring(%x: tensor<64x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %z = arith.constant 0.0 : f32
  %zero = arith.constant dense<0.0> : vector<8xf32>
  %r = scf.forall (%b) in (2) shared_outs(%out = %o) -> (tensor<4x8xf32>) {
    %row = affine.apply affine_map<(d0) -> (d0 * 2)> (%b)
    %mine = tensor.extract_slice %out[%row, 0] [2, 8] [1, 1] : tensor<4x8xf32> to tensor<2x8xf32>
    %ring = tensor.empty() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : tensor<2x2x8xf32>
    %sum = tensor.empty() {scratch = #kernel.scratch<subgroup>} : tensor<2x1x8xf32>
    %sum0 = scf.forall (%w) in (2) shared_outs(%s = %sum) -> (tensor<2x1x8xf32>) {
      %t = tensor.extract_slice %s[%w, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<2x1x8xf32> to tensor<1x1x8xf32>
      %t1 = vector.transfer_write %zero, %t[%c0, %c0, %c0] {in_bounds = [true]} : vector<8xf32>, tensor<1x1x8xf32>
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %t1 into %s[%w, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<1x1x8xf32> into tensor<2x1x8xf32>
      }
    } {mapping = [#kernel.level<subgroup>]}
    %ring0 = scf.forall (%w) in (2) shared_outs(%s = %ring) -> (tensor<2x2x8xf32>) {
      %t = tensor.extract_slice %s[0, %w, 0] [1, 1, 8] [1, 1, 1] : tensor<2x2x8xf32> to tensor<1x1x8xf32>
      %at = affine.apply affine_map<(d0, d1) -> (d0 * 32 + d1)> (%b, %w)
      %v = vector.transfer_read %x[%at, %c0], %z {in_bounds = [true]} : tensor<64x8xf32>, vector<8xf32>
      %t1 = vector.transfer_write %v, %t[%c0, %c0, %c0] {async, in_bounds = [true]} : vector<8xf32>, tensor<1x1x8xf32>
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %t1 into %s[0, %w, 0] [1, 1, 8] [1, 1, 1] : tensor<1x1x8xf32> into tensor<2x2x8xf32>
      }
    } {mapping = [#kernel.level<subgroup>]}
    %last, %unused = scf.for %k = %c0 to %c8 step %c1 iter_args(%acc = %sum0, %now = %ring0) -> (tensor<2x1x8xf32>, tensor<2x2x8xf32>) {
      %slot = arith.remui %k, %c2 : index
      %next = affine.apply affine_map<(d0) -> (d0 + 1)> (%k)
      %other = arith.remui %next, %c2 : index
      %acc1 = scf.forall (%w) in (2) shared_outs(%s = %acc) -> (tensor<2x1x8xf32>) {
        %a = vector.transfer_read %now[%slot, %w, %c0], %z {in_bounds = [true]} : tensor<2x2x8xf32>, vector<8xf32>
        %t = tensor.extract_slice %s[%w, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<2x1x8xf32> to tensor<1x1x8xf32>
        %c = vector.transfer_read %t[%c0, %c0, %c0], %z {in_bounds = [true]} : tensor<1x1x8xf32>, vector<8xf32>
        %d = arith.addf %c, %a : vector<8xf32>
        %t1 = vector.transfer_write %d, %t[%c0, %c0, %c0] {in_bounds = [true]} : vector<8xf32>, tensor<1x1x8xf32>
        scf.forall.in_parallel {
          tensor.parallel_insert_slice %t1 into %s[%w, 0, 0] [1, 1, 8] [1, 1, 1] : tensor<1x1x8xf32> into tensor<2x1x8xf32>
        }
      } {mapping = [#kernel.level<subgroup>], wait = 0 : i64}
      %now1 = scf.forall (%w) in (2) shared_outs(%s = %now) -> (tensor<2x2x8xf32>) {
        %t = tensor.extract_slice %s[%other, %w, 0] [1, 1, 8] [1, 1, 1] : tensor<2x2x8xf32> to tensor<1x1x8xf32>
        %at = affine.apply affine_map<(d0, d1, d2) -> (d0 * 32 + d1 + d2 * 2)> (%b, %w, %next)
        %v = vector.transfer_read %x[%at, %c0], %z {in_bounds = [true]} : tensor<64x8xf32>, vector<8xf32>
        %t1 = vector.transfer_write %v, %t[%c0, %c0, %c0] {async, in_bounds = [true]} : vector<8xf32>, tensor<1x1x8xf32>
        scf.forall.in_parallel {
          tensor.parallel_insert_slice %t1 into %s[%other, %w, 0] [1, 1, 8] [1, 1, 1] : tensor<1x1x8xf32> into tensor<2x2x8xf32>
        }
      } {mapping = [#kernel.level<subgroup>]}
      scf.yield %acc1, %now1 : tensor<2x1x8xf32>, tensor<2x2x8xf32>
    }
    %done = scf.forall (%w) in (2) shared_outs(%s = %mine) -> (tensor<2x8xf32>) {
      %t = tensor.extract_slice %s[%w, 0] [1, 8] [1, 1] : tensor<2x8xf32> to tensor<1x8xf32>
      %c = vector.transfer_read %last[%w, %c0, %c0], %z {in_bounds = [true]} : tensor<2x1x8xf32>, vector<8xf32>
      %t1 = vector.transfer_write %c, %t[%c0, %c0] {in_bounds = [true]} : vector<8xf32>, tensor<1x8xf32>
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %t1 into %s[%w, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<2x8xf32>
      }
    } {mapping = [#kernel.level<subgroup>]}
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %done into %out[%row, 0] [2, 8] [1, 1] : tensor<2x8xf32> into tensor<4x8xf32>
    }
  } {mapping = [#kernel.level<block>]}
  kernel.return %r : tensor<4x8xf32>
}

// -----

// What a task needs for itself, asked for or not, is as private as the task: here a copy of what another task overwrites.

// CHECK-LABEL: kernel.func @private(%o: memref<8xf32>, %scratch: memref<64xi8>)
// CHECK:         scf.forall (%[[I:.*]]) in (7) {
// CHECK-NEXT:      %[[T:.*]] = memref.alloca() {scratch = #kernel.scratch<worker>} : memref<1xf32>
// CHECK:           memref.store %{{.*}}, %[[T]][%c0]
// CHECK:         } {mapping = [#kernel.level<thread>]}
kernel.func @private(%o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.forall (%i) in (7) shared_outs(%s = %o) -> (tensor<8xf32>) {
    %next = arith.addi %i, %c1 : index
    %a = tensor.extract %s[%next] : tensor<8xf32>
    %t = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<1xf32>
    %t1 = tensor.insert %a into %t[%c0] : tensor<1xf32>
    %b = tensor.extract %t1[%c0] : tensor<1xf32>
    %sl = tensor.extract_slice %s[%i] [1] [1] : tensor<8xf32> to tensor<1xf32>
    %r1 = tensor.insert %b into %sl[%c0] : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r1 into %s[%i] [1] [1] : tensor<1xf32> into tensor<8xf32>
    }
  } {mapping = [#kernel.level<thread>]}
  kernel.return %r : tensor<8xf32>
}

// -----

// A slice that a branch updates, and the other leaves, stays where it is.

// CHECK-LABEL: kernel.func @guarded(%x: memref<8xf32>, %n: memref<index>, %o: memref<8xf32>)
// CHECK-NOT:     memref.alloca
// CHECK-NOT:     memref.copy
// CHECK:         scf.forall (%[[W:.*]]) in (2) {
// CHECK:           %[[S:.*]] = memref.subview %o[%{{.*}}] [4] [1]
// CHECK:           scf.if %{{.*}} {
// CHECK:             vector.transfer_write %{{.*}}, %[[S]][%c0]
// CHECK-NEXT:      }
// CHECK:         } {mapping = [#kernel.level<subgroup>]}
kernel.func @guarded(%x: tensor<8xf32>, %n: tensor<index>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "read", "readwrite"]} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %most = tensor.extract %n[] : tensor<index>
  %r = scf.forall (%w) in (2) shared_outs(%s = %o) -> (tensor<8xf32>) {
    %at = affine.apply affine_map<(d0) -> (d0 * 4)> (%w)
    %t = tensor.extract_slice %s[%at] [4] [1] : tensor<8xf32> to tensor<4xf32>
    %some = arith.cmpi slt, %w, %most : index
    %u = scf.if %some -> (tensor<4xf32>) {
      %v = vector.transfer_read %x[%at], %z {in_bounds = [true]} : tensor<8xf32>, vector<4xf32>
      %t1 = vector.transfer_write %v, %t[%c0] {in_bounds = [true]} : vector<4xf32>, tensor<4xf32>
      scf.yield %t1 : tensor<4xf32>
    } else {
      scf.yield %t : tensor<4xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %u into %s[%at] [4] [1] : tensor<4xf32> into tensor<8xf32>
    }
  } {mapping = [#kernel.level<subgroup>]}
  kernel.return %r : tensor<8xf32>
}

// -----

// Memory of the machine that the host drives: what is copied or filled stays there, however small it is.

// CHECK-LABEL: func.func @main(%x: memref<i32>, %out: memref<i32>, %out_1: memref<1x1xi32>, %out_2: memref<80x80xf32>, %workers: memref<?x0xi8>)
// CHECK-NOT:     memref.load
// CHECK-NOT:     scf.for
// CHECK:         "memref.copy"(%x, %out) : (memref<i32>, memref<i32>) -> ()
// CHECK:         linalg.fill ins(%{{.*}} : i32) outs(%out_1 : memref<1x1xi32>)
// CHECK:         linalg.fill ins(%{{.*}} : f32) outs(%out_2 : memref<80x80xf32>)
// CHECK-NEXT:    func.return
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64}>} {
  func.func @main(%x: tensor<i32>) -> (tensor<i32>, tensor<1x1xi32>, tensor<80x80xf32>) {
    %one = arith.constant dense<7> : tensor<1x1xi32>
    %many = arith.constant dense<1.5> : tensor<80x80xf32>
    func.return %x, %one, %many : tensor<i32>, tensor<1x1xi32>, tensor<80x80xf32>
  }
}
