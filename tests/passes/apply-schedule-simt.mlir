// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// A subgroup's task is one vector, with a masked rest for the last one.
// CHECK-LABEL: kernel.func @map
// CHECK: scf.forall (%[[T:.*]]) in (8) shared_outs(%[[O:.*]] = %o) -> (tensor<1000xf32>)
// CHECK: %[[START:.*]] = affine.apply affine_map<(d0) -> ((d0 * 128))> (%[[T]])
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[O]][%[[START]]] [%[[SIZE:.*]]] [1]
// CHECK: vector.transfer_read %x[%{{.*}}], %{{.*}} {in_bounds = [true]} : tensor<1000xf32>, vector<128xf32>
// CHECK: %[[MASK:.*]] = vector.create_mask %{{.*}} : vector<128xi1>
// CHECK: vector.transfer_read %x[%{{.*}}], %{{.*}}, %[[MASK]]
// CHECK: tensor.parallel_insert_slice %{{.*}} into %[[O]][%[[START]]] [%[[SIZE]]] [1]
// CHECK: } {mapping = [#kernel.level<subgroup>]}
kernel.func @map(%x: tensor<1000xf32>, %o: tensor<1000xf32>) -> tensor<1000xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 64 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<1000xf32>) outs(%o : tensor<1000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<1000xf32>
  kernel.return %r : tensor<1000xf32>
}

// -----

// Rows too short for a subgroup: a thread a point, all dims cut.
// CHECK-LABEL: kernel.func @points
// CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (100, 3) shared_outs
// CHECK: %[[B:.*]] = tensor.extract %b[%[[J]]] : tensor<3xf32>
// CHECK: } {mapping = [#kernel.level<thread>]}
kernel.func @points(%x: tensor<100x3xf32>, %b: tensor<3xf32>, %o: tensor<100x3xf32>) -> tensor<100x3xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 64 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %b : tensor<100x3xf32>, tensor<3xf32>) outs(%o : tensor<100x3xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32):
    %y = arith.addf %a, %c : f32
    linalg.yield %y : f32
  } -> tensor<100x3xf32>
  kernel.return %r : tensor<100x3xf32>
}

// -----

// A sum of everything: eight parts from neutral elements into launch scratch, then the parts, then the init.
// CHECK-LABEL: kernel.func @sum
// CHECK-DAG: %[[NEUTRAL:.*]] = arith.constant dense<-0.000000e+00> : vector<128xf32>
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<8xf32>
// CHECK: %[[P:.*]] = scf.forall (%{{.*}}) in (8) shared_outs(%{{.*}} = %[[S]]) -> (tensor<8xf32>)
// CHECK: iter_args(%{{.*}} = %[[NEUTRAL]]) -> (vector<128xf32>)
// CHECK: vector.reduction <add>
// CHECK: } {mapping = [#kernel.level<subgroup>]}
// CHECK: scf.forall (%{{.*}}) in (1) shared_outs(%{{.*}} = %o) -> (tensor<f32>)
// CHECK: vector.transfer_read %[[P]][%{{.*}}]{{.*}} : tensor<8xf32>, vector<32xf32>
// CHECK: %[[SUM:.*]] = vector.reduction <add>
// CHECK: arith.addf %{{.*}}, %[[SUM]] : f32
kernel.func @sum(%x: tensor<8192xf32>, %o: tensor<f32>) -> tensor<f32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 64 : i64, split = 8 : i64}>} {
  %c = arith.constant 2.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%o : tensor<f32>) -> tensor<f32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<8192xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<f32>
  kernel.return %r : tensor<f32>
}

// -----

// Columns: lanes along them, parts of the rows leading in the scratch.
// CHECK-LABEL: kernel.func @columns
// CHECK: tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<4x128xf32>
// CHECK: scf.forall (%[[P:.*]]) in (4) shared_outs(%[[O:.*]] = %{{.*}}) -> (tensor<4x128xf32>)
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[O]][%[[P]], 0] [1, 128] [1, 1]
// CHECK: vector.transfer_write %{{.*}}, %[[PART]]
kernel.func @columns(%x: tensor<64x128xf32>, %o: tensor<128xf32>) -> tensor<128xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 64 : i64, split = 4 : i64}>} {
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%o : tensor<128xf32>) -> tensor<128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<64x128xf32>) outs(%f : tensor<128xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<128xf32>
  kernel.return %r : tensor<128xf32>
}

// -----

// A row in registers: the exponentials pass from the sum's pass to the quotient's as a value.
// CHECK-LABEL: kernel.func @rows
// CHECK-NOT: scratch
// CHECK: scf.forall (%[[I:.*]]) in (4) shared_outs
// CHECK: %[[E:.*]] = math.exp %{{.*}} : vector<128xf32>
// CHECK: %[[S:.*]] = vector.reduction <add>
// CHECK: arith.divf %[[E]], %{{.*}} : vector<128xf32>
// CHECK: } {mapping = [#kernel.level<subgroup>]}
kernel.func @rows(%x: tensor<4x100xf32>, %o: tensor<4x100xf32>) -> tensor<4x100xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 4 : i64, tasks = 64 : i64, kept = 32 : i64, shared = 49152 : i64}>} {
  %e = tensor.empty() : tensor<4xf32>
  %E = tensor.empty() : tensor<4x100xf32>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x100xf32>) outs(%E : tensor<4x100xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = math.exp %a : f32
    linalg.yield %y : f32
  } -> tensor<4x100xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%p : tensor<4x100xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%p, %s : tensor<4x100xf32>, tensor<4xf32>) outs(%E : tensor<4x100xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %y = arith.divf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<4x100xf32>
  kernel.return %r : tensor<4x100xf32>
}

// -----

// A row by a block: partial sums of its subgroups, which each of them reduces again.
// CHECK-LABEL: kernel.func @block_rows
// CHECK: scf.forall (%[[I:.*]]) in (2) shared_outs
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<block>} : tensor<4xf32>
// CHECK: %[[P:.*]] = scf.forall (%[[W:.*]]) in (4) shared_outs(%[[Q:.*]] = %[[S]]) -> (tensor<4xf32>)
// CHECK: vector.reduction <add>, %{{.*}} fastmath<reassoc> : vector<128xf32> into f32
// CHECK: tensor.parallel_insert_slice %{{.*}} into %[[Q]][%[[W]]] [1] [1]
// CHECK: } {mapping = [#kernel.level<subgroup>]}
// CHECK: scf.forall (%{{.*}}) in (4) shared_outs
// CHECK: %[[ALL:.*]] = vector.transfer_read %[[P]]{{.*}} : tensor<4xf32>, vector<4xf32>
// CHECK: vector.reduction <add>, %[[ALL]]
// CHECK: } {mapping = [#kernel.level<subgroup>]}
// CHECK: } {mapping = [#kernel.level<block>]}
kernel.func @block_rows(%x: tensor<2x2048xf32>, %o: tensor<2x2048xf32>) -> tensor<2x2048xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-rows", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 4 : i64, tasks = 64 : i64, shared = 45056 : i64}>} {
  %e = tensor.empty() : tensor<2xf32>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x2048xf32>) outs(%f : tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<2x2048xf32>, tensor<2xf32>) outs(%o : tensor<2x2048xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %y = arith.divf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<2x2048xf32>
  kernel.return %r : tensor<2x2048xf32>
}

// -----

// A transpose: rows of the input into padded scratch, columns of it out.
// CHECK-LABEL: kernel.func @transpose
// CHECK-DAG: %[[PITCH:.*]] = arith.constant dense<33> : vector<32xi32>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, 2) shared_outs
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<block>} : tensor<32x33xf32>
// CHECK: %[[FULL:.*]] = scf.forall (%[[W:.*]]) in (8) shared_outs(%{{.*}} = %[[S]]) -> (tensor<32x33xf32>)
// CHECK: vector.transfer_read %x[%{{.*}}], %{{.*}} {in_bounds = [true]} : tensor<64x64xf32>, vector<32xf32>
// CHECK: scf.forall (%{{.*}}) in (8) shared_outs
// CHECK: %[[OFFSETS:.*]] = arith.muli %{{.*}}, %[[PITCH]] : vector<32xi32>
// CHECK: vector.gather %[[FULL]][%{{.*}}] [%[[OFFSETS]]]
// CHECK: } {mapping = [#kernel.level<block>]}
kernel.func @transpose(%x: tensor<64x64xf32>, %o: tensor<64x64xf32>) -> tensor<64x64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-transpose", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 64 : i64, tile = 32 : i64, pad = 1 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x64xf32>) outs(%o : tensor<64x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<64x64xf32>
  kernel.return %r : tensor<64x64xf32>
}

// -----

// An update at a place known at run time: a subgroup writes a row of it, behind the start that the task reads and clamps. A start that
// is known, or that can only be 0, is no index arithmetic; dims that follow each other on both sides are one.
// CHECK-LABEL: kernel.func @update
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[LAST:.*]] = arith.constant 7 : index
// CHECK: %[[U:.*]] = tensor.collapse_shape %u {{.*}} : tensor<2x1x4x16xf32> into tensor<2x1x64xf32>
// CHECK: %[[X:.*]] = tensor.collapse_shape %x {{.*}} : tensor<5x8x4x16xf32> into tensor<5x8x64xf32>
// CHECK: %[[R:.*]] = scf.forall (%[[I:.*]]) in (2) shared_outs(%[[O:.*]] = %[[X]]) -> (tensor<5x8x64xf32>) {
// CHECK-NEXT: %[[AT:.*]] = tensor.extract %i[] : tensor<i32>
// CHECK-NEXT: %[[INDEX:.*]] = arith.index_cast %[[AT]] : i32 to index
// CHECK-NEXT: %[[LOW:.*]] = arith.maxsi %[[INDEX]], %[[ZERO]]
// CHECK-NEXT: %[[START:.*]] = arith.minsi %[[LOW]], %[[LAST]]
// CHECK-NEXT: %[[FIRST:.*]] = affine.apply affine_map<(d0) -> ((d0 + 3))> (%[[I]])
// CHECK-NEXT: %[[S:.*]] = tensor.extract_slice %[[O]][%[[FIRST]], 0, 0] [1, 8, 64] [1, 1, 1]
// CHECK-NEXT: %[[V:.*]] = vector.transfer_read %[[U]][%[[I]], %[[ZERO]], %[[ZERO]]]
// CHECK-NEXT: %[[W:.*]] = vector.transfer_write %[[V]], %[[S]][%[[ZERO]], %[[START]], %[[ZERO]]]
// CHECK-NEXT: scf.forall.in_parallel {
// CHECK-NEXT: tensor.parallel_insert_slice %[[W]] into %[[O]][%[[FIRST]], 0, 0] [1, 8, 64] [1, 1, 1]
// CHECK: } {mapping = [#kernel.level<subgroup>]}
// CHECK-NEXT: tensor.expand_shape %[[R]]
kernel.func @update(%u: tensor<2x1x4x16xf32>, %i: tensor<i32>, %x: tensor<5x8x4x16xf32>) -> tensor<5x8x4x16xf32> attributes {access = ["read", "read", "readwrite"], schedule = #kernel.schedule<"loops", {vector = 512 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 64 : i64, vectors = 1 : i64, unroll = 1 : i64}>} {
  %c9 = arith.constant dense<9> : tensor<i32>
  %r = structured.update_slice ins(%u, %c9, %i, %i, %i : tensor<2x1x4x16xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) outs(%x : tensor<5x8x4x16xf32>) -> tensor<5x8x4x16xf32>
  kernel.return %r : tensor<5x8x4x16xf32>
}
