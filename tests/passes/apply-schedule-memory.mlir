// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// The second pass over a row is the last that reads it: it fetches the next row, 4096 bytes on, and its result's lines.
// CHECK-LABEL: kernel.func @rows
// CHECK: %[[A:.*]] = vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}} {in_bounds = [true]} : tensor<8x1024xf32>
// CHECK: arith.maximumf %{{.*}}, %[[A]]
// CHECK: vector.transfer_read %x{{.*}} {prefetch = 4096 : i64, in_bounds = [true]} : tensor<8x1024xf32>
// CHECK: vector.transfer_write %{{.*}} {prefetch = 2048 : i64, in_bounds = [true]}
kernel.func @rows(%x: tensor<8x1024xf32>, %o: tensor<8x1024xf32>) -> tensor<8x1024xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {vector = 64 : i64, unroll = 4 : i64, prefetch = 2048 : i64}>} {
  %e = tensor.empty() : tensor<8xf32>
  %E = tensor.empty() : tensor<8x1024xf32>
  %c = arith.constant 0xff800000 : f32
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<8x1024xf32>) outs(%f : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.maximumf %b, %a : f32
    linalg.yield %y : f32
  } -> tensor<8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<8x1024xf32>, tensor<8xf32>) outs(%E : tensor<8x1024xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %y = arith.subf %a, %b : f32
    linalg.yield %y : f32
  } -> tensor<8x1024xf32>
  kernel.return %r : tensor<8x1024xf32>
}

// -----

// A sum of everything: parts from neutral elements, one a task, then the parts with what the sum starts from.
// CHECK-LABEL: kernel.func @total
// CHECK: %[[PARTS:.*]] = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<4xf32>
// CHECK: scf.forall (%[[T:.*]]) in (4) shared_outs(%[[P:.*]] = %[[PARTS]])
// CHECK: tensor.extract_slice %[[P]][%[[T]]] [1] [1]
// CHECK: vector.reduction <add>
// CHECK: scf.forall (%{{.*}}) in (1) shared_outs(%{{.*}} = %o)
// CHECK: vector.reduction <add>
// CHECK: arith.addf %{{.*}} : f32
kernel.func @total(%x: tensor<64x96xf32>, %o: tensor<f32>) -> tensor<f32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %e = tensor.empty() : tensor<f32>
  %cst = arith.constant 2.0 : f32
  %f = linalg.fill ins(%cst : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<64x96xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %b, %a : f32
    linalg.yield %y : f32
  } -> tensor<f32>
  kernel.return %r : tensor<f32>
}

// -----

// Every second element, 20 of a row of 39: out of one vector that ends there.
// CHECK-LABEL: kernel.func @picked
// CHECK: %[[M:.*]] = vector.constant_mask [39] : vector<64xi1>
// CHECK: %[[V:.*]] = vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}}, %[[M]] {in_bounds = [true]} : tensor<8x39xf32>, vector<64xf32>
// CHECK: vector.shuffle %[[V]], %[[V]] [0, 2, 4, 6,
// CHECK-NOT: vector.gather
kernel.func @picked(%x: tensor<8x39xf32>, %o: tensor<8x20xf32>) -> tensor<8x20xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 2 : i64}>} {
  %E = tensor.empty() : tensor<8x20xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1 * 2)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x39xf32>) outs(%E : tensor<8x20xf32>) {
  ^bb0(%a: f32, %d: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<8x20xf32>
  kernel.return %r : tensor<8x20xf32>
}

// -----

// A large matrix is turned in blocks: rows of the input into scratch, where the sum is made; tiles of that into the result,
// the lines of the next 16 rows fetched. Tasks are cut along the input's rows, between blocks.
// CHECK-LABEL: kernel.func @turned
// CHECK: scf.forall (%{{.*}}) in (4) shared_outs(%[[O:.*]] = %o)
// CHECK: tensor.extract_slice %[[O]][0, %{{.*}}] [128, 32] [1, 1]
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<16x80xf32>
// CHECK: vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}} {in_bounds = [true]} : tensor<128x128xf32>, vector<32xf32>
// CHECK: arith.addf %{{.*}} : vector<32xf32>
// CHECK: %[[T:.*]] = vector.transfer_read %{{.*}} : tensor<16x80xf32>, vector<16x16xf32>
// CHECK: vector.transpose %[[T]], [1, 0]
// CHECK: vector.transfer_write %{{.*}} {prefetch = 8192 : i64, in_bounds = [true, true]} : vector<16x16xf32>, tensor<128x32xf32>
kernel.func @turned(%x: tensor<128x128xf32>, %o: tensor<128x128xf32>) -> tensor<128x128xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, tasks = 4 : i64, grain = 1 : i64, prefetch = 2048 : i64, stage = 256 : i64, run = 64 : i64}>} {
  %E = tensor.empty() : tensor<128x128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<128x128xf32>) outs(%E : tensor<128x128xf32>) {
  ^bb0(%a: f32, %d: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<128x128xf32>
  kernel.return %r : tensor<128x128xf32>
}

// -----

// What is read along the result's rows as well is read where the tiles are; the inputs that are turned go through scratch.
// CHECK-LABEL: kernel.func @mixed
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<16x80xf32>
// CHECK: vector.transfer_read %x[
// CHECK: vector.transfer_read %{{.*}} : tensor<16x80xf32>, vector<16x16xf32>
// CHECK: vector.transfer_read %y[%{{.*}}, %{{.*}}], %{{.*}} {in_bounds = [true, true]} : tensor<128x128xf32>, vector<16x16xf32>
// CHECK: arith.addf %{{.*}} : vector<16x16xf32>
kernel.func @mixed(%x: tensor<128x128xf32>, %y: tensor<128x128xf32>, %o: tensor<128x128xf32>) -> tensor<128x128xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, stage = 256 : i64, run = 64 : i64}>} {
  %E = tensor.empty() : tensor<128x128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<128x128xf32>, tensor<128x128xf32>) outs(%E : tensor<128x128xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<128x128xf32>
  kernel.return %r : tensor<128x128xf32>
}

// -----

// Past the caches: all columns of a few rows at once, read a few lines ahead; each tile a line of sixteen rows of the result.
// CHECK-LABEL: kernel.func @past_caches
// CHECK: scf.for %[[R:[0-9]+]] =
// CHECK: scf.for %[[C:[0-9]+]] =
// CHECK: vector.transfer_read %x[%[[R]], %[[C]]], %{{.*}} {prefetch = 256 : i64, in_bounds = [true, true]} : tensor<64x288xf32>, vector<16x16xf32>
// CHECK: vector.transfer_write %{{.*}}[%[[C]], %[[R]]] {nontemporal = true, in_bounds = [true, true]} : vector<16x16xf32>, tensor<288x64xf32>
kernel.func @past_caches(%x: tensor<64x288xf32>, %o: tensor<288x64xf32>) -> tensor<288x64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, prefetch = 2048 : i64, fetch = 4096 : i64, bypass = 1 : i64}>} {
  %E = tensor.empty() : tensor<288x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x288xf32>) outs(%E : tensor<288x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  } -> tensor<288x64xf32>
  kernel.return %r : tensor<288x64xf32>
}

// -----

// Rows that are soon at an end: what is fetched is the same of the sixteen rows below.
// CHECK-LABEL: kernel.func @short_rows
// CHECK: vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}} {prefetch = 2048 : i64, in_bounds = [true, true]} : tensor<256x32xf32>, vector<16x16xf32>
// CHECK: vector.transfer_write %{{.*}} {nontemporal = true, in_bounds = [true, true]} : vector<16x16xf32>, tensor<32x256xf32>
kernel.func @short_rows(%x: tensor<256x32xf32>, %o: tensor<32x256xf32>) -> tensor<32x256xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, prefetch = 2048 : i64, fetch = 4096 : i64, bypass = 1 : i64}>} {
  %E = tensor.empty() : tensor<32x256xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<256x32xf32>) outs(%E : tensor<32x256xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  } -> tensor<32x256xf32>
  kernel.return %r : tensor<32x256xf32>
}

// -----

// Pieces of rows that change places are copied in the order in which they are read: results are written in sixteen places, a
// little further on each time; in the order of the results they would be read in sixty-four.
// CHECK-LABEL: kernel.func @heads
// CHECK: scf.for %
// CHECK: scf.for %[[A:[0-9]+]] = %{{.*}} to %{{.*}} step
// CHECK: scf.for %[[B:[0-9]+]] = %{{.*}} to %{{.*}} step
// CHECK: vector.transfer_read %x[%{{.*}}, %[[A]], %[[B]], %{{.*}}], %{{.*}} {prefetch = 4096 : i64
// CHECK: vector.transfer_write %{{.*}}[%{{.*}}, %[[B]], %[[A]], %{{.*}}] {prefetch = 2048 : i64
kernel.func @heads(%x: tensor<4x64x16x64xf32>, %o: tensor<4x16x64x64xf32>) -> tensor<4x16x64x64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, prefetch = 2048 : i64, fetch = 4096 : i64}>} {
  %E = tensor.empty() : tensor<4x16x64x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : tensor<4x64x16x64xf32>) outs(%E : tensor<4x16x64x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  } -> tensor<4x16x64x64xf32>
  kernel.return %r : tensor<4x16x64x64xf32>
}

// -----

// Back again they are in the order of the results, which are sixteen streams of reads.
// CHECK-LABEL: kernel.func @heads_back
// CHECK: scf.for %
// CHECK: scf.for %[[A:[0-9]+]] = %{{.*}} to %{{.*}} step
// CHECK: scf.for %[[B:[0-9]+]] = %{{.*}} to %{{.*}} step
// CHECK: vector.transfer_read %x[%{{.*}}, %[[B]], %[[A]], %{{.*}}]
// CHECK: vector.transfer_write %{{.*}}[%{{.*}}, %[[A]], %[[B]], %{{.*}}]
kernel.func @heads_back(%x: tensor<4x16x64x64xf32>, %o: tensor<4x64x16x64xf32>) -> tensor<4x64x16x64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, prefetch = 2048 : i64, fetch = 4096 : i64}>} {
  %E = tensor.empty() : tensor<4x64x16x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : tensor<4x16x64x64xf32>) outs(%E : tensor<4x64x16x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  } -> tensor<4x64x16x64xf32>
  kernel.return %r : tensor<4x64x16x64xf32>
}

// -----

// Lines of a result that are longer than vectors, or of narrow elements, are made of columns of sixteen bytes.
// CHECK-LABEL: kernel.func @line_of_four
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<16x4xf32> to vector<4x16xf32>
// CHECK: {nontemporal = true, in_bounds = [true, true]} : vector<4x16xf32>
kernel.func @line_of_four(%x: tensor<64x64xf32>, %o: tensor<64x64xf32>) -> tensor<64x64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 16 : i64, unroll = 4 : i64, bypass = 1 : i64}>} {
  %E = tensor.empty() : tensor<64x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x64xf32>) outs(%E : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  } -> tensor<64x64xf32>
  kernel.return %r : tensor<64x64xf32>
}

// -----

// CHECK-LABEL: kernel.func @bytes
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<64x16xi8> to vector<16x64xi8>
// CHECK: {in_bounds = [true, true]} : vector<16x64xi8>
kernel.func @bytes(%x: tensor<128x64xi8>, %o: tensor<64x128xi8>) -> tensor<64x128xi8> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64}>} {
  %E = tensor.empty() : tensor<64x128xi8>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<128x64xi8>) outs(%E : tensor<64x128xi8>) {
  ^bb0(%a: i8, %d: i8):
    linalg.yield %a : i8
  } -> tensor<64x128xi8>
  kernel.return %r : tensor<64x128xi8>
}

// -----

// Half a line at once where rows of the result are not on lines, then a segment, then the rest.
// CHECK-LABEL: kernel.func @bytes_off_lines
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<32x16xi8> to vector<16x32xi8>
// CHECK: {in_bounds = [true, true]} : vector<16x32xi8>
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<16x16xi8> to vector<16x16xi8>
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<3x16xi8> to vector<16x3xi8>
kernel.func @bytes_off_lines(%x: tensor<83x64xi8>, %o: tensor<64x83xi8>) -> tensor<64x83xi8> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64}>} {
  %E = tensor.empty() : tensor<64x83xi8>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<83x64xi8>) outs(%E : tensor<64x83xi8>) {
  ^bb0(%a: i8, %d: i8):
    linalg.yield %a : i8
  } -> tensor<64x83xi8>
  kernel.return %r : tensor<64x83xi8>
}

// -----

// What is read once is fetched ahead, what is read for every row is not, nor is what does not fill a vector. Four vectors on,
// of which a row has two, is two rows on.
// CHECK-LABEL: kernel.func @fetched
// CHECK: %[[X:.*]] = vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}} {prefetch = 2400 : i64, in_bounds = [true]} : tensor<8x300xf32>, vector<256xf32>
// CHECK: %[[B:.*]] = vector.transfer_read %b[%{{.*}}], %{{.*}} {in_bounds = [true]} : tensor<300xf32>, vector<256xf32>
// CHECK: arith.addf %[[X]], %[[B]] : vector<256xf32>
// CHECK-NOT: prefetch
// CHECK: kernel.return
kernel.func @fetched(%x: tensor<8x300xf32>, %b: tensor<300xf32>, %o: tensor<8x300xf32>) -> tensor<8x300xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 16 : i64, fetch = 4096 : i64}>} {
  %E = tensor.empty() : tensor<8x300xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %b : tensor<8x300xf32>, tensor<300xf32>) outs(%E : tensor<8x300xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<8x300xf32>
  kernel.return %r : tensor<8x300xf32>
}

// -----

// Down a column of vectors, what is read later lies rows further on.
// CHECK-LABEL: kernel.func @columns
// CHECK: vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}} {prefetch = 96000 : i64, in_bounds = [true]} : tensor<512x3000xf32>, vector<128xf32>
// CHECK: arith.addf
kernel.func @columns(%x: tensor<512x3000xf32>, %o: tensor<3000xf32>) -> tensor<3000xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 2 : i64, fetch = 4096 : i64}>} {
  %e = tensor.empty() : tensor<3000xf32>
  %cst = arith.constant 0.0 : f32
  %f = linalg.fill ins(%cst : f32) outs(%e : tensor<3000xf32>) -> tensor<3000xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<512x3000xf32>) outs(%f : tensor<3000xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %b, %a : f32
    linalg.yield %y : f32
  } -> tensor<3000xf32>
  kernel.return %r : tensor<3000xf32>
}

// -----

// Lines as they lie in memory, four at once, into a line of results in scratch; then the rest, a line less than four, and the results.
// Fetched is what is read of the next four.
// CHECK-LABEL: kernel.func @lines
// CHECK: %[[S:.*]] = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<1024xf32>
// CHECK: vector.transfer_write %{{.*}} : vector<64xf32>, tensor<1024xf32>
// CHECK: scf.for %[[I:[0-9]+]] =
// CHECK: %[[OLD:.*]] = vector.transfer_read {{.*}} : tensor<1024xf32>, vector<64xf32>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[OLD]]) -> (vector<64xf32>)
// CHECK: vector.transfer_read %x[%{{.*}}, %{{.*}}], %{{.*}} {prefetch = 16384 : i64, in_bounds = [true]} : tensor<515x1024xf32>, vector<64xf32>
// CHECK: } {unroll = 4 : i64}
// CHECK: vector.transfer_write %{{.*}} : vector<64xf32>, tensor<1024xf32>
// CHECK: } {unroll = 3 : i64}
// CHECK: vector.transfer_write %{{.*}} : vector<64xf32>, tensor<1024xf32>
// CHECK: vector.transfer_write %{{.*}} : vector<64xf32>, tensor<1024xf32>
// CHECK: kernel.return
kernel.func @lines(%x: tensor<515x1024xf32>, %o: tensor<1024xf32>) -> tensor<1024xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, fetch = 4096 : i64, lines = 4 : i64}>} {
  %e = tensor.empty() : tensor<1024xf32>
  %cst = arith.constant 0.0 : f32
  %f = linalg.fill ins(%cst : f32) outs(%e : tensor<1024xf32>) -> tensor<1024xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<515x1024xf32>) outs(%f : tensor<1024xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %b, %a : f32
    linalg.yield %y : f32
  } -> tensor<1024xf32>
  kernel.return %r : tensor<1024xf32>
}

// -----

// Lines of scratch are an odd number of the machine's cache lines apart: three of 128 bytes here.
// CHECK-LABEL: kernel.func @wide_lines
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<16x96xf32>
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, line_bytes = 128 : i64}} {
kernel.func @wide_lines(%x: tensor<128x128xf32>, %o: tensor<128x128xf32>) -> tensor<128x128xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 4 : i64, stage = 256 : i64, run = 64 : i64}>} {
  %E = tensor.empty() : tensor<128x128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<128x128xf32>) outs(%E : tensor<128x128xf32>) {
  ^bb0(%a: f32, %d: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<128x128xf32>
  kernel.return %r : tensor<128x128xf32>
}
}

// -----

// What is gathered from is fetched a row ahead, as much of it with each vector as rows take to be done.
// CHECK-LABEL: kernel.func @gathered
// CHECK: scf.for %[[I:[0-9a-z]+]] =
// CHECK: scf.for %[[J:[0-9a-z]+]] =
// CHECK: %[[NEXT:[0-9a-z]+]] = affine.apply affine_map<(d0) -> ((d0 + 1))> (%[[I]])
// CHECK: kernel.prefetch %x[%[[NEXT]], %[[J]]] {part = vector<16xf32>} : tensor<100x64xf32>
// CHECK: vector.gather
kernel.func @gathered(%x: tensor<100x64xf32>, %i: tensor<100x64xindex>, %o: tensor<100x64xf32>) -> tensor<100x64xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, unroll = 2 : i64, fetch = 4096 : i64}>} {
  %e = tensor.empty() : tensor<100x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%i : tensor<100x64xindex>) outs(%e : tensor<100x64xf32>) {
  ^bb0(%a: index, %b: f32):
    %row = linalg.index 0 : index
    %y = tensor.extract %x[%row, %a] : tensor<100x64xf32>
    linalg.yield %y : f32
  } -> tensor<100x64xf32>
  kernel.return %r : tensor<100x64xf32>
}

// -----

// Rows of which less is gathered than they have lines are not fetched as a whole, nor are those that are too long to be kept, nor
// where nothing is fetched ahead.
// CHECK-NOT: kernel.prefetch
kernel.func @few(%x: tensor<100x640xf32>, %i: tensor<100x32xindex>, %o: tensor<100x32xf32>) -> tensor<100x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, fetch = 4096 : i64}>} {
  %e = tensor.empty() : tensor<100x32xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%i : tensor<100x32xindex>) outs(%e : tensor<100x32xf32>) {
  ^bb0(%a: index, %b: f32):
    %row = linalg.index 0 : index
    %y = tensor.extract %x[%row, %a] : tensor<100x640xf32>
    linalg.yield %y : f32
  } -> tensor<100x32xf32>
  kernel.return %r : tensor<100x32xf32>
}
kernel.func @long(%x: tensor<10x5000xf32>, %i: tensor<10x5000xindex>, %o: tensor<10x5000xf32>) -> tensor<10x5000xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, fetch = 4096 : i64}>} {
  %e = tensor.empty() : tensor<10x5000xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%i : tensor<10x5000xindex>) outs(%e : tensor<10x5000xf32>) {
  ^bb0(%a: index, %b: f32):
    %row = linalg.index 0 : index
    %y = tensor.extract %x[%row, %a] : tensor<10x5000xf32>
    linalg.yield %y : f32
  } -> tensor<10x5000xf32>
  kernel.return %r : tensor<10x5000xf32>
}
kernel.func @cached(%x: tensor<100x64xf32>, %i: tensor<100x64xindex>, %o: tensor<100x64xf32>) -> tensor<100x64xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64}>} {
  %e = tensor.empty() : tensor<100x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%i : tensor<100x64xindex>) outs(%e : tensor<100x64xf32>) {
  ^bb0(%a: index, %b: f32):
    %row = linalg.index 0 : index
    %y = tensor.extract %x[%row, %a] : tensor<100x64xf32>
    linalg.yield %y : f32
  } -> tensor<100x64xf32>
  kernel.return %r : tensor<100x64xf32>
}
