// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// Two steps of a recurrence are one step of another: a region that is associative and does not commute. Tasks take runs of the
// line, each starts with its first element; in a block of vectors neighbours are combined, even lanes on the left, then the
// halves of what is left. What the tasks found is combined in order, after what the reduction starts from.
// CHECK-LABEL: kernel.func @recurrence
// CHECK: %[[S:.*]], %{{.*}} = scf.forall (%{{.*}}) in (2) shared_outs({{.*}}) -> (tensor<2xi16>, tensor<2xi16>)
// CHECK: scf.for {{.*}} iter_args(%[[F:.*]] = %{{.*}}, %[[T:.*]] = %{{.*}}, %[[BEGUN:.*]] = %{{.*}}) -> (i16, i16, i1)
// CHECK: %[[X:.*]] = vector.transfer_read %x
// CHECK: %[[Y:.*]] = vector.transfer_read %y
// CHECK: %[[U:.*]] = vector.transfer_read %x
// CHECK: %[[V:.*]] = vector.transfer_read %y
// CHECK: %[[FE:.*]] = vector.shuffle %[[X]], %[[U]] [0, 2, 4, 6, 8, 10, 12, 14] : vector<8xi16>, vector<8xi16>
// CHECK: %[[TE:.*]] = vector.shuffle %[[Y]], %[[V]] [0, 2, 4, 6, 8, 10, 12, 14] : vector<8xi16>, vector<8xi16>
// CHECK: %[[FO:.*]] = vector.shuffle %[[X]], %[[U]] [1, 3, 5, 7, 9, 11, 13, 15] : vector<8xi16>, vector<8xi16>
// CHECK: arith.muli %[[FE]], %[[FO]] : vector<8xi16>
// CHECK: arith.muli %[[TE]], %[[FO]] : vector<8xi16>
// CHECK: vector.shuffle {{.*}} [0, 2] : vector<4xi16>
// CHECK: %[[P:.*]] = arith.muli %[[F]], %{{.*}} : i16
// CHECK: arith.select %[[BEGUN]], %[[P]], %{{.*}} : i16
// CHECK: scf.forall (%{{.*}}) in (1)
// CHECK: vector.transfer_read %[[S]]
kernel.func @recurrence(%x: tensor<48xi16>, %y: tensor<48xi16>, %p: tensor<i16>, %q: tensor<i16>) -> (tensor<i16>, tensor<i16>) attributes {access = ["read", "read", "write", "write"], schedule = #kernel.schedule<"loops", {vector = 16 : i64, tasks = 3 : i64, grain = 1 : i64}>} {
  %one = arith.constant 1 : i16
  %zero = arith.constant 0 : i16
  %e = tensor.empty() : tensor<i16>
  %f = linalg.fill ins(%one : i16) outs(%e : tensor<i16>) -> tensor<i16>
  %g = linalg.fill ins(%zero : i16) outs(%e : tensor<i16>) -> tensor<i16>
  %r, %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x, %y : tensor<48xi16>, tensor<48xi16>) outs(%f, %g : tensor<i16>, tensor<i16>) {
  ^bb0(%a: i16, %b: i16, %c: i16, %d: i16):
    %u = structured.element %a into %c : i16
    %v = structured.element %b into %d : i16
    %w = arith.muli %c, %u : i16
    %h = arith.muli %d, %u : i16
    %k = arith.addi %h, %v : i16
    linalg.yield %w, %k : i16, i16
  } -> (tensor<i16>, tensor<i16>)
  kernel.return %r, %s : tensor<i16>, tensor<i16>
}

// -----

// A region that is not associative goes from one element to the next.
// CHECK-LABEL: kernel.func @decay
// CHECK-NOT: vector.
// CHECK: kernel.return
kernel.func @decay(%x: tensor<4096xf32>, %o: tensor<f32>) -> tensor<f32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<4096xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %c: f32):
    %u = structured.element %a into %c : f32
    %h = arith.constant 0.5 : f32
    %w = arith.mulf %c, %h : f32
    %k = arith.addf %w, %u : f32
    linalg.yield %k : f32
  } -> tensor<f32>
  kernel.return %r : tensor<f32>
}
