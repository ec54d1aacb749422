// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// A map with a tail: whole vectors, then a masked rest; four tasks of 256 points.
// CHECK-LABEL: kernel.func @map
// CHECK: scf.forall (%[[T:.*]]) in (4) shared_outs(%[[O:.*]] = %o) -> (tensor<1000xf32>)
// CHECK: %[[START:.*]] = affine.apply affine_map<(d0) -> ((d0 * 256))> (%[[T]])
// CHECK: tensor.extract_slice %[[O]][%[[START]]] [%{{.*}}] [1] : tensor<1000xf32> to tensor<?xf32>
// CHECK: scf.for
// CHECK: vector.transfer_read %x{{.*}} {in_bounds = [true]} : tensor<1000xf32>, vector<64xf32>
// CHECK: vector.transfer_write
// CHECK: scf.for
// CHECK: %[[MASK:.*]] = vector.create_mask
// CHECK: vector.transfer_read %x[%{{.*}}], %{{.*}}, %[[MASK]]
// CHECK: scf.forall.in_parallel
// CHECK: tensor.parallel_insert_slice %{{.*}} into %[[O]][%[[START]]]
kernel.func @map(%x: tensor<1000xf32>, %o: tensor<1000xf32>) -> tensor<1000xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %e = tensor.empty() : tensor<1000xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<1000xf32>) outs(%e : tensor<1000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<1000xf32>
  kernel.return %r : tensor<1000xf32>
}

// -----

// A row reduction: vector accumulators, combined at the end, then the init.
// CHECK-LABEL: kernel.func @row_sum
// CHECK: scf.for %{{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<32xf32>)
// CHECK: %[[SUM:.*]] = vector.reduction <add>, %{{.*}} fastmath<reassoc> : vector<32xf32> into f32
// CHECK: %[[ALL:.*]] = arith.addf %{{.*}}, %[[SUM]] : f32
// CHECK: tensor.insert %[[ALL]]
kernel.func @row_sum(%x: tensor<4x96xf32>, %o: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 32 : i64, unroll = 4 : i64}>} {
  %e = tensor.empty() : tensor<4xf32>
  %c = arith.constant 1.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x96xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<4xf32>
  kernel.return %r : tensor<4xf32>
}

// -----

// Two ops of rows: the intermediate is one number per row and never stored.
// CHECK-LABEL: kernel.func @rows
// CHECK-NOT: scratch
// CHECK: vector.reduction <maximumf>
// CHECK: arith.subf %{{.*}} : vector<64xf32>
// CHECK: kernel.return
kernel.func @rows(%x: tensor<4x64xf32>, %o: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {vector = 64 : i64, unroll = 4 : i64}>} {
  %e = tensor.empty() : tensor<4xf32>
  %E = tensor.empty() : tensor<4x64xf32>
  %c = arith.constant 0xff800000 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x64xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.maximumf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<4x64xf32>, tensor<4xf32>) outs(%E : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %y = arith.subf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<4x64xf32>
  kernel.return %r : tensor<4x64xf32>
}

// -----

// A contraction: B packed in panels by the task, register tiles over k, edges with their own static tile.
// CHECK-LABEL: kernel.func @matmul
// CHECK: scf.forall
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<2x8x32xf32>
// CHECK: vector.transfer_read %B{{.*}} : tensor<8x64xf32>, vector<4x32xf32>
// CHECK: scf.for %{{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<14x32xf32>)
// CHECK: %[[B:.*]] = vector.transfer_read %{{.*}} : tensor<2x8x32xf32>, vector<1x32xf32>
// CHECK: %[[A:.*]] = vector.transfer_read %A{{.*}} : tensor<30x8xf32>, vector<14x1xf32>
// CHECK: vector.contract {{.*}} %[[A]], %[[B]], %{{.*}} : vector<14x1xf32>, vector<1x32xf32> into vector<14x32xf32>
// CHECK: vector.contract {{.*}} into vector<2x32xf32>
kernel.func @matmul(%A: tensor<30x8xf32>, %B: tensor<8x64xf32>, %o: tensor<30x64xf32>) -> tensor<30x64xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, unroll = 4 : i64, mr = 14 : i64, nr = 32 : i64, k_unroll = 2 : i64, pack_b = 1 : i64}>} {
  %e = tensor.empty() : tensor<30x64xf32>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<30x64xf32>) -> tensor<30x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<30x8xf32>, tensor<8x64xf32>) outs(%f : tensor<30x64xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<30x64xf32>
  kernel.return %r : tensor<30x64xf32>
}

// -----

// Sums in two runs of terms: to those of the second are added those that the first left; the epilogue, which makes another
// type, is done after the second, so that the sums need scratch. A is packed for each tile.
// CHECK-LABEL: kernel.func @runs
// CHECK: %[[SUMS:.*]] = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<13x32xf32>
// CHECK: scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[K]]
// CHECK: %[[LAST:.*]] = arith.cmpi sle
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<1x64x32xf32>
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<13x80xf32>
// CHECK: vector.contract
// CHECK: scf.if %[[FIRST]] -> (vector<13x32xf32>)
// CHECK: vector.transfer_read
// CHECK-NEXT: arith.addf
// CHECK: scf.if %[[LAST]]
// CHECK: arith.truncf
// CHECK: } else {
// CHECK-NEXT: vector.transfer_write {{.*}} : vector<13x32xf32>, tensor<13x32xf32>
kernel.func @runs(%A: tensor<13x128xf32>, %B: tensor<128x32xf32>, %o: tensor<13x32xf16>) -> tensor<13x32xf16> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, mr = 13 : i64, nr = 32 : i64, k_unroll = 2 : i64, pack_a = 1 : i64, pack_b = 1 : i64, kc = 50 : i64}>} {
  %e = tensor.empty() : tensor<13x32xf32>
  %h = tensor.empty() : tensor<13x32xf16>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<13x32xf32>) -> tensor<13x32xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<13x128xf32>, tensor<128x32xf32>) outs(%f : tensor<13x32xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<13x32xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<13x32xf32>) outs(%h : tensor<13x32xf16>) {
  ^bb0(%a: f32, %b: f16):
    %p = arith.truncf %a : f32 to f16
    linalg.yield %p : f16
  } -> tensor<13x32xf16>
  kernel.return %t : tensor<13x32xf16>
}

// -----

// Sums in parts (k_split): three tasks leave the sums of 44, 44 and 40 terms in scratch, and a second phase adds them up in their
// order, to what the sums start from, with the maps of the results.
// CHECK-LABEL: kernel.func @parts
// CHECK: %[[SUMS:.*]] = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<3x5x32xf32>
// CHECK: scf.forall (%[[PART:.*]]) in (3)
// CHECK: affine.apply affine_map<(d0) -> ((d0 * 44))> (%[[PART]])
// CHECK: vector.contract
// CHECK: tensor.parallel_insert_slice {{.*}}[%[[PART]], 0, 0] [1, 5, 32]
// CHECK: scf.forall (%{{.*}}) in (1)
// CHECK: arith.addf
// CHECK: arith.negf
// CHECK-NOT: scf.forall (
kernel.func @parts(%A: tensor<5x128xf32>, %B: tensor<128x32xf32>, %o: tensor<5x32xf32>) -> tensor<5x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, mr = 5 : i64, nr = 32 : i64, k_unroll = 4 : i64, kc = 48 : i64, k_split = 3 : i64}>} {
  %e = tensor.empty() : tensor<5x32xf32>
  %c = arith.constant 1.5 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<5x32xf32>) -> tensor<5x32xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<5x128xf32>, tensor<128x32xf32>) outs(%f : tensor<5x32xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<5x32xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<5x32xf32>) outs(%e : tensor<5x32xf32>) {
  ^bb0(%a: f32, %b: f32):
    %p = arith.negf %a : f32
    linalg.yield %p : f32
  } -> tensor<5x32xf32>
  kernel.return %t : tensor<5x32xf32>
}

// -----

// Products with one row take as long as reading B, so its bytes say how many tasks are worth it; and lines of B are left long:
// two tasks, one a core, where eight are allowed.
// CHECK-LABEL: kernel.func @row
// CHECK: scf.forall (%{{.*}}) in (2)
// CHECK: vector.contract
kernel.func @row(%A: tensor<1x1024xf32>, %B: tensor<1024x1024xf32>, %o: tensor<1x1024xf32>) -> tensor<1x1024xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, tasks = 8 : i64, grain = 10000 : i64, mr = 1 : i64, nr = 32 : i64}>} {
  %e = tensor.empty() : tensor<1x1024xf32>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<1x1024xf32>) -> tensor<1x1024xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<1x1024xf32>, tensor<1024x1024xf32>) outs(%f : tensor<1x1024xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<1x1024xf32>
  kernel.return %r : tensor<1x1024xf32>
}

// -----

// With `prefetch` a tile's part of the result is asked for between its terms, a few rows at a time, and with it what the two tiles side
// by side need of the next rows of A: seven rows each, of thirteen.
// CHECK-LABEL: kernel.func @fetched
// CHECK: kernel.prefetch %{{.*}}[%{{.*}}, %{{.*}}] {part = vector<4x32xf32>} : tensor<26x64xf32>
// CHECK: kernel.prefetch %A[%{{.*}}, %{{.*}}] {part = vector<7x16xf32>} : tensor<26x64xf32>
// CHECK: vector.contract
kernel.func @fetched(%A: tensor<26x64xf32>, %B: tensor<64x64xf32>, %o: tensor<26x64xf32>) -> tensor<26x64xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, mr = 13 : i64, nr = 32 : i64, pack_b = 1 : i64, prefetch = 64 : i64}>} {
  %e = tensor.empty() : tensor<26x64xf32>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<26x64xf32>) -> tensor<26x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<26x64xf32>, tensor<64x64xf32>) outs(%f : tensor<26x64xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<26x64xf32>
  kernel.return %r : tensor<26x64xf32>
}

// -----

// Whole vectors of a result are written with lines ahead of them fetched; its tail is not, and nothing that is read.
// CHECK-LABEL: kernel.func @ahead
// CHECK: vector.transfer_write %{{.*}} {prefetch = 512 : i64, in_bounds = [true]} : vector<16xf32>
// CHECK-NOT: prefetch
// CHECK: kernel.return
kernel.func @ahead(%x: tensor<1001xf32>, %o: tensor<1001xf32>) -> tensor<1001xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, prefetch = 512 : i64}>} {
  %e = tensor.empty() : tensor<1001xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<1001xf32>) outs(%e : tensor<1001xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<1001xf32>
  kernel.return %r : tensor<1001xf32>
}

// -----

// Dot products along lines of both factors: of two rows and of two columns at once, the last terms masked; neighbouring lanes of all
// four sums are added until each is one, and those of a row written together.
// CHECK-LABEL: kernel.func @dots
// CHECK: scf.forall (%{{.*}}) in (1)
// CHECK: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step
// CHECK: scf.for %[[K:.*]] = %{{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK: vector.transfer_read %A[%{{.*}}, %[[K]]]
// CHECK: vector.transfer_read %B[%[[J]], %[[K]]]
// CHECK: scf.yield
// CHECK: vector.transfer_read %A{{.*}}, %{{.*}}, %{{.*}} {in_bounds = [true]} : tensor<2x10xf32>, vector<4xf32>
// CHECK: vector.shuffle %{{.*}}, %{{.*}} [0, 2, 4, 6]
// CHECK-NEXT: vector.shuffle %{{.*}}, %{{.*}} [1, 3, 5, 7]
// CHECK: vector.shuffle %{{.*}}, %{{.*}} [2, 3] : vector<4xf32>, vector<4xf32>
// CHECK: vector.transfer_write {{.*}} : vector<2xf32>, tensor<2x6xf32>
kernel.func @dots(%A: tensor<2x10xf32>, %B: tensor<6x10xf32>, %o: tensor<2x6xf32>) -> tensor<2x6xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"dots", {vector = 16 : i64, rows = 2 : i64, columns = 2 : i64}>} {
  %e = tensor.empty() : tensor<2x6xf32>
  %c = arith.constant 0.0 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<2x6xf32>) -> tensor<2x6xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<2x10xf32>, tensor<6x10xf32>) outs(%f : tensor<2x6xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x6xf32>
  kernel.return %r : tensor<2x6xf32>
}

// -----

// Two parts put into each other are shuffled as vectors, and what is made of the result is made there.
// CHECK-LABEL: kernel.func @interleaved
// CHECK: scf.forall
// CHECK: %[[A:.*]] = vector.transfer_read %a[%[[I:.*]], %[[K:.*]]], {{.*}} vector<16xf32>
// CHECK: %[[B:.*]] = vector.transfer_read %b[%[[I]], %[[K]]], {{.*}} vector<16xf32>
// CHECK: %[[W:.*]] = vector.shuffle %[[A]], %[[B]] [0, 16, 1, 17,
// CHECK: %[[Y:.*]] = math.absf %[[W]] : vector<32xf32>
// CHECK: vector.transfer_write %[[Y]], %{{.*}}[%[[I]], %{{.*}}] {{.*}} : vector<32xf32>, tensor<4x64xf32>
// CHECK-NOT: scf.forall (
kernel.func @interleaved(%a: tensor<4x32xf32>, %b: tensor<4x32xf32>, %o: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64}>} {
  %e = tensor.empty() : tensor<4x64xf32>
  %x = tensor.insert_slice %a into %e[0, 0] [4, 32] [1, 2] : tensor<4x32xf32> into tensor<4x64xf32>
  %y = tensor.insert_slice %b into %x[0, 1] [4, 32] [1, 2] : tensor<4x32xf32> into tensor<4x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<4x64xf32>) outs(%o : tensor<4x64xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = math.absf %p : f32
    linalg.yield %m : f32
  } -> tensor<4x64xf32>
  kernel.return %r : tensor<4x64xf32>
}
