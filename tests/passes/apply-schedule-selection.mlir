// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// The number of the greatest element, as JAX has it: tasks and lanes take what is strictly better, NaN before all numbers; of
// what they found, the best, and of equals the first.
// CHECK-LABEL: kernel.func @argmax
// CHECK: %[[V:.*]] = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<4xf32>
// CHECK: %[[I:.*]] = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<4xi32>
// CHECK: scf.forall (%{{.*}}) in (4)
// CHECK: %[[X:.*]] = vector.transfer_read %x
// CHECK: %[[B:.*]] = arith.cmpf ult, %[[OLD:.*]], %[[X]] : vector<32xf32>
// CHECK: %[[N:.*]] = arith.cmpf ord, %[[OLD]], %[[OLD]] : vector<32xf32>
// CHECK: %[[T:.*]] = arith.andi %[[B]], %[[N]] : vector<32xi1>
// CHECK: arith.select %[[T]], %[[X]], %[[OLD]]
// CHECK: vector.reduction <maximumf>
// CHECK: vector.reduction <minsi>
// CHECK: scf.forall (%{{.*}}) in (1) shared_outs(%{{.*}} = %o)
// CHECK: arith.cmpf ult
// CHECK: vector.reduction <minsi>
kernel.func @argmax(%x: tensor<4096xf32>, %o: tensor<i32>) -> tensor<i32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 2 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %w = arith.constant 0xff800000 : f32
  %z = arith.constant 0 : i32
  %ev = tensor.empty() : tensor<f32>
  %ei = tensor.empty() : tensor<i32>
  %fv = linalg.fill ins(%w : f32) outs(%ev : tensor<f32>) -> tensor<f32>
  %fi = linalg.fill ins(%z : i32) outs(%ei : tensor<i32>) -> tensor<i32>
  %r, %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<4096xf32>) outs(%fv, %fi : tensor<f32>, tensor<i32>) {
  ^bb0(%a: f32, %v: f32, %i: i32):
    %d = linalg.index 0 : index
    %j = arith.index_cast %d : index to i32
    %g = arith.cmpf ogt, %v, %a : f32
    %n = arith.cmpf une, %v, %v : f32
    %k = arith.ori %g, %n : i1
    %e = arith.cmpf oeq, %v, %a : f32
    %b = arith.cmpi slt, %i, %j : i32
    %t = arith.andi %e, %b : i1
    %u = arith.ori %k, %t : i1
    %p = arith.select %k, %v, %a : f32
    %q = arith.select %u, %i, %j : i32
    linalg.yield %p, %q : f32, i32
  } -> (tensor<f32>, tensor<i32>)
  kernel.return %s : tensor<i32>
}

// -----

// Where the last of equals is taken, the order of the elements matters: one after the other.
// CHECK-LABEL: kernel.func @last
// CHECK-NOT: vector.
// CHECK: arith.cmpf ogt
// CHECK-NOT: vector.
// CHECK: kernel.return
kernel.func @last(%x: tensor<4096xf32>, %o: tensor<i32>) -> tensor<i32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 2 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %w = arith.constant 0xff800000 : f32
  %z = arith.constant 0 : i32
  %ev = tensor.empty() : tensor<f32>
  %ei = tensor.empty() : tensor<i32>
  %fv = linalg.fill ins(%w : f32) outs(%ev : tensor<f32>) -> tensor<f32>
  %fi = linalg.fill ins(%z : i32) outs(%ei : tensor<i32>) -> tensor<i32>
  %r, %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<4096xf32>) outs(%fv, %fi : tensor<f32>, tensor<i32>) {
  ^bb0(%a: f32, %v: f32, %i: i32):
    %d = linalg.index 0 : index
    %j = arith.index_cast %d : index to i32
    %g = arith.cmpf ogt, %v, %a : f32
    %p = arith.select %g, %v, %a : f32
    %q = arith.select %g, %i, %j : i32
    linalg.yield %p, %q : f32, i32
  } -> (tensor<f32>, tensor<i32>)
  kernel.return %s : tensor<i32>
}
