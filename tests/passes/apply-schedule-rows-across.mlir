// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// Thirty-two rows of seventeen: tiles of them, the last of one column, are turned into scratch; sums are those of lanes, and
// differences are turned back. The last block of a task ends with its last row.
// CHECK-LABEL: kernel.func @short
// CHECK: scf.forall
// CHECK: %[[FIRST:.*]] = arith.minsi
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<17x32xf32>
// CHECK: %[[TILE:.*]] = vector.transfer_read %x[%{{.*}}, %{{.*}}]{{.*}} : tensor<100x17xf32>, vector<16x16xf32>
// CHECK-NEXT: %[[TURNED:.*]] = vector.transpose %[[TILE]], [1, 0] : vector<16x16xf32> to vector<16x16xf32>
// CHECK-NEXT: vector.transfer_write %[[TURNED]], %[[S]]
// CHECK: vector.transfer_read %x[%{{.*}}, %{{.*}}]{{.*}} : tensor<100x17xf32>, vector<16x1xf32>
// CHECK: scf.for {{.*}} -> (vector<32xf32>) {
// CHECK: arith.addf {{.*}} : vector<32xf32>
// CHECK: scf.for
// CHECK: arith.subf {{.*}} : vector<32xf32>
// CHECK: vector.transpose {{.*}} : vector<16x16xf32> to vector<16x16xf32>
// CHECK: vector.transfer_write {{.*}} : vector<16x16xf32>, tensor<?x17xf32>
// CHECK-NOT: vector.reduction
// CHECK: kernel.return
kernel.func @short(%x: tensor<100x17xf32>, %o: tensor<100x17xf32>) -> tensor<100x17xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {vector = 64 : i64, unroll = 4 : i64, tasks = 3 : i64, grain = 1 : i64, across = 1 : i64}>} {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<100xf32>
  %f = tensor.empty() : tensor<100x17xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<100xf32>) -> tensor<100xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<100x17xf32>) outs(%i : tensor<100xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = arith.addf %b, %a : f32
    linalg.yield %t : f32
  } -> tensor<100xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<100x17xf32>, tensor<100xf32>) outs(%f : tensor<100x17xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %t = arith.subf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<100x17xf32>
  kernel.return %d : tensor<100x17xf32>
}
