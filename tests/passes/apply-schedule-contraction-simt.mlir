// RUN: stepwell-opt %s --apply-schedule --cse --split-input-file | filecheck %s

// The matrix form: operands ahead in rings of block scratch, products from the slot that arrived, one meeting of the subgroups a
// step; the bias is added to the sums' tile.

// CHECK-LABEL: kernel.func @matrix
// CHECK:         scf.forall (%[[I:.*]], %[[J:.*]]) in (2, 1) shared_outs(%[[OUT:.*]] = %o) -> (tensor<128x64xf32>) {
// CHECK:           %[[MINE:.*]] = tensor.extract_slice %[[OUT]][%{{.*}}, 0] [64, 64] [1, 1]
// CHECK:           %[[SUMS:.*]] = tensor.empty() {scratch = #kernel.scratch<subgroup>} : tensor<4x32x32xf32>
// CHECK:           %[[A:.*]] = tensor.empty() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : tensor<2x64x32xf16>
// CHECK:           %[[B:.*]] = tensor.empty() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : tensor<2x32x64xf16>
// CHECK:           %[[A0:.*]], %[[B0:.*]] = scf.forall (%[[W:.*]]) in (4) shared_outs(%{{.*}} = %[[A]], %{{.*}} = %[[B]])
// CHECK:             %[[ROWS:.*]] = vector.transfer_read %x[{{.*}} : tensor<128x256xf16>, vector<8x32xf16>
// CHECK:             vector.transfer_write %[[ROWS]], %{{.*}} {async, in_bounds = [true, true]} : vector<8x32xf16>, tensor<1x16x32xf16>
// CHECK:           } {mapping = [#kernel.level<subgroup>]}
// CHECK:           scf.for %[[K:.*]] = %{{.*}} iter_args(%[[S:.*]] = %{{.*}}, %[[AK:.*]] = %[[A0]], %[[BK:.*]] = %[[B0]])
// CHECK:             %[[SLOT:.*]] = arith.remui %[[K]]
// CHECK:             scf.forall (%{{.*}}) in (4) shared_outs(%{{.*}} = %[[S]]) -> (tensor<4x32x32xf32>) {
// CHECK:               %[[L:.*]] = vector.transfer_read %[[AK]][%[[SLOT]], {{.*}} : tensor<2x64x32xf16>, vector<32x16xf16>
// CHECK:               %[[R:.*]] = vector.transfer_read %[[BK]][%[[SLOT]], {{.*}} : tensor<2x32x64xf16>, vector<16x32xf16>
// CHECK:               vector.contract {{.*}} %[[L]], %[[R]], %{{.*}} : vector<32x16xf16>, vector<16x32xf16> into vector<32x32xf32>
// CHECK:             } {wait = 0 : i64, mapping = [#kernel.level<subgroup>]}
// CHECK:             scf.forall (%{{.*}}) in (4) shared_outs(%{{.*}} = %[[AK]], %{{.*}} = %[[BK]])
// CHECK:               %[[MORE:.*]] = arith.cmpi slt
// CHECK:               scf.if %[[MORE]]
// CHECK:                 vector.transfer_write {{.*}} {async
// CHECK:           scf.forall (%{{.*}}) in (4) shared_outs(%{{.*}} = %[[MINE]]) -> (tensor<64x64xf32>) {
// CHECK:             %[[ROW:.*]] = vector.transfer_read %bias[%{{.*}}], %{{.*}} : tensor<64xf32>, vector<32xf32>
// CHECK:             %[[REPEATED:.*]] = vector.broadcast %[[ROW]] : vector<32xf32> to vector<32x32xf32>
// CHECK:             arith.addf %{{.*}}, %[[REPEATED]] : vector<32x32xf32>
// CHECK:         } {mapping = [#kernel.level<block>]}
#rows = affine_map<(d0, d1, d2) -> (d0, d2)>
#columns = affine_map<(d0, d1, d2) -> (d2, d1)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>
module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64, block_threads = 1024 : i64, shared_limit = 232448 : i64, features = "mma_f16,async_copy"}} {
  kernel.func @matrix(%x: tensor<128x256xf16>, %y: tensor<256x64xf16>, %bias: tensor<64xf32>, %o: tensor<128x64xf32>) -> tensor<128x64xf32> attributes {access = ["read", "read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {vector = 512 : i64, subgroup = 32 : i64, form = "matrix", bm = 64 : i64, bn = 64 : i64, bk = 32 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 8 : i64, lanes_n = 4 : i64, stages = 2 : i64, swizzle = 8 : i64}>} {
    %e = tensor.empty() : tensor<128x64xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<128x64xf32>) -> tensor<128x64xf32>
    %r = linalg.generic {indexing_maps = [#rows, #columns, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<128x256xf16>, tensor<256x64xf16>) outs(%f : tensor<128x64xf32>) {
    ^bb0(%a: f16, %b: f16, %s: f32):
      %aw = arith.extf %a : f16 to f32
      %bw = arith.extf %b : f16 to f32
      %p = arith.mulf %aw, %bw : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<128x64xf32>
    %q = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%r, %bias : tensor<128x64xf32>, tensor<64xf32>) outs(%e : tensor<128x64xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %t = arith.addf %a, %b : f32
      linalg.yield %t : f32
    } -> tensor<128x64xf32>
    kernel.return %q : tensor<128x64xf32>
  }
}

// -----

// The register form at edges, with one stage: copies filled up with zeros, A by columns, writes masked.

// CHECK-LABEL: kernel.func @register
// CHECK:         scf.forall (%[[I:.*]], %{{.*}}) in (2, 1)
// CHECK:           %[[LEFT:.*]] = affine.apply affine_map<(d0) -> (((d0 * -1) + 50))>
// CHECK:           %[[COUNT:.*]] = arith.minsi %{{.*}}, %[[LEFT]]
// CHECK:           scf.for
// CHECK:             %[[MASK:.*]] = vector.create_mask %{{.*}}, %{{.*}} : vector<8x8xi1>
// CHECK:             %[[ROWS:.*]] = vector.transfer_read %x[%{{.*}}], %{{.*}}, %[[MASK]] {{.*}} vector<8x8xf32>
// CHECK:             vector.transfer_write %[[ROWS]], %{{.*}} {in_bounds = [true, true], permutation_map = affine_map<(d0, d1, d2) -> (d2, d1)>} : vector<8x8xf32>, tensor<1x8x8xf32>
// CHECK:             %[[L:.*]] = vector.transfer_read {{.*}} : tensor<1x8x36xf32>, vector<1x16xf32>
// CHECK:             %[[R:.*]] = vector.transfer_read {{.*}} : tensor<1x8x64xf32>, vector<1x32xf32>
// CHECK:             vector.contract {{.*}} %[[L]], %[[R]], %{{.*}} : vector<1x16xf32>, vector<1x32xf32> into vector<16x32xf32>
// CHECK:           %[[PART:.*]] = vector.create_mask %{{.*}}, %{{.*}} : vector<16x32xi1>
// CHECK:           vector.transfer_write %{{.*}}, %{{.*}}, %[[PART]] {{.*}} : vector<16x32xf32>, tensor<?x?xf32>
#rows = affine_map<(d0, d1, d2) -> (d0, d2)>
#columns = affine_map<(d0, d1, d2) -> (d2, d1)>
#out = affine_map<(d0, d1, d2) -> (d0, d1)>
module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64, block_threads = 1024 : i64, shared_limit = 232448 : i64}} {
  kernel.func @register(%x: tensor<50x30xf32>, %y: tensor<30x60xf32>, %o: tensor<50x60xf32>) -> tensor<50x60xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {vector = 512 : i64, subgroup = 32 : i64, form = "register", bm = 32 : i64, bn = 64 : i64, bk = 8 : i64, wm = 16 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64, pad = 4 : i64}>} {
    %e = tensor.empty() : tensor<50x60xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<50x60xf32>) -> tensor<50x60xf32>
    %r = linalg.generic {indexing_maps = [#rows, #columns, #out], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<50x30xf32>, tensor<30x60xf32>) outs(%f : tensor<50x60xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<50x60xf32>
    kernel.return %r : tensor<50x60xf32>
  }
}
