// RUN: stepwell-opt %s --pass-pipeline='builtin.module(gpu-outline-kernels,cse,dce)' --split-input-file | filecheck %s

// A subgroup's vector: four elements a lane in one aligned access, lanes beyond the end masked; the host launches the grid.

// CHECK-LABEL: gpu.module @elementwise attributes
// CHECK:         gpu.func @phase0(%[[X:.*]]: memref<1000xf32>, %[[B:.*]]: memref<f32>, %[[Y:.*]]: memref<1000xf32>) kernel
// CHECK-SAME:      known_block_size = array<i32: 128, 1, 1>, known_grid_size = array<i32: 2, 1, 1>
// CHECK-SAME:      access = ["read", "read", "write"]
// CHECK-DAG:     %[[BLOCK:.*]] = gpu.block_id x upper_bound 2
// CHECK-DAG:     %[[LANE:.*]] = gpu.lane_id upper_bound 32
// CHECK-DAG:     %[[SUBGROUP:.*]] = gpu.subgroup_id upper_bound 4 : index
// CHECK:         %[[TASK:.*]] = affine.apply affine_map<(d0, d1) -> (((d0 * 4) + d1))> (%[[BLOCK]], %[[SUBGROUP]])
// CHECK:         %[[FIRST:.*]] = affine.apply affine_map<(d0) -> ((d0 * 128))> (%[[TASK]])
// CHECK:         %[[MASK:.*]] = vector.create_mask %{{.*}} : vector<4xi1>
// CHECK:         %[[V:.*]] = vector.transfer_read %[[X]][%[[AT:.*]]], %{{.*}}, %[[MASK]] {alignment = 16 : i64, in_bounds = [true]} : memref<1000xf32>, vector<4xf32>
// CHECK:         %[[S:.*]] = memref.load %[[B]][] : memref<f32>
// CHECK:         %[[SS:.*]] = vector.broadcast %[[S]] : f32 to vector<4xf32>
// CHECK:         %[[W:.*]] = arith.addf %[[V]], %[[SS]] : vector<4xf32>
// CHECK:         vector.transfer_write %[[W]], %[[Y]][%[[AT]]], %[[MASK]] {alignment = 16 : i64
// CHECK:       func.func @main(%[[X:.*]]: memref<1000xf32>, %[[B:.*]]: memref<f32>, %[[Y:.*]]: memref<1000xf32>, %{{.*}}, %{{.*}}, %staging: memref<?xi8>)
// CHECK:         gpu.launch_func @elementwise::@phase0 blocks in (%[[TWO:.*]], %[[ONE:.*]], %[[ONE]]) threads in (%{{.*}}, %[[ONE]], %[[ONE]]) args(%[[X]] : memref<1000xf32>, %[[B]] : memref<f32>, %[[Y]] : memref<1000xf32>)
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @elementwise(%x: memref<1000xf32>, %b: memref<f32>, %y: memref<1000xf32>) attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {subgroups = 4 : i64}>} {
    %z = arith.constant 0.0 : f32
    scf.forall (%t) in (8) {
      %i = affine.apply affine_map<(d0) -> (d0 * 128)>(%t)
      %left = affine.apply affine_map<(d0) -> (1000 - d0 * 128)>(%t)
      %mask = vector.create_mask %left : vector<128xi1>
      %v = vector.transfer_read %x[%i], %z, %mask {in_bounds = [true]} : memref<1000xf32>, vector<128xf32>
      %s = memref.load %b[] : memref<f32>
      %bs = vector.broadcast %s : f32 to vector<128xf32>
      %w = arith.addf %v, %bs : vector<128xf32>
      vector.transfer_write %w, %y[%i], %mask {in_bounds = [true]} : vector<128xf32>, memref<1000xf32>
    } {mapping = [#kernel.level<subgroup>]}
    kernel.return
  }
  func.func @main(%x: memref<1000xf32>, %b: memref<f32>, %y: memref<1000xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>) {
    kernel.launch @elementwise ins(%x, %b : memref<1000xf32>, memref<f32>) outs(%y : memref<1000xf32>)
    func.return
  }
}

// -----

// Rows of 250 elements are aligned to 4 bytes only: an element a lane. The scratch of a subgroup is its row of shared memory; its
// lanes wait for each other once, between writing and reading it. Six tasks, eight subgroups: the last two have none.

// CHECK-LABEL: gpu.module @rows
// CHECK:         gpu.func @phase0(%[[X:.*]]: memref<6x250xf32>, %[[Y:.*]]: memref<6x250xf32>) workgroup(%[[S:.*]]: memref<4x250xf32, #gpu.address_space<workgroup>>)
// CHECK:         %[[SUBGROUP:.*]] = gpu.subgroup_id
// CHECK:         %[[HAS:.*]] = arith.cmpi slt, %[[ROW:.*]], %{{.*}} : index
// CHECK:         scf.if %[[HAS]] {
// CHECK:           %[[PART:.*]] = affine.for %[[I:.*]] = 0 to 224 step 32 iter_args(%[[ACC:.*]] = %{{.*}}) -> (vector<1xf32>) {
// CHECK:             %[[AT:.*]] = affine.apply {{.*}} (%[[I]], %{{.*}})
// CHECK:             %[[V:.*]] = vector.transfer_read %[[X]][%[[ROW]], %[[AT]]]
// CHECK:             vector.transfer_write %[[V]], %[[S]][%[[SUBGROUP]], %[[AT]]]
// CHECK-NOT:         barrier
// CHECK:             affine.yield
// CHECK:           vector.create_mask %{{.*}} : vector<1xi1>
// CHECK:           %[[OWN:.*]] = vector.extract %{{.*}}[0] : f32 from vector<1xf32>
// CHECK:           %[[SUM:.*]] = gpu.subgroup_reduce add %[[OWN]] uniform : (f32) -> f32
// CHECK:           gpu.subgroup_barrier
// CHECK:           affine.for
// CHECK-NOT:         barrier
// CHECK:             vector.transfer_read %[[S]][%[[SUBGROUP]],
// CHECK:             vector.transfer_write %{{.*}}, %[[Y]][%[[ROW]],
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @rows(%x: memref<6x250xf32>, %y: memref<6x250xf32>) attributes {access = ["read", "write"]} {
    %z = arith.constant 0.0 : f32
    %c224 = arith.constant 224 : index
    %m = vector.constant_mask [26] : vector<32xi1>
    %zero = arith.constant dense<0.0> : vector<32xf32>
    scf.forall (%t) in (6) {
      %s = memref.alloca() {scratch = #kernel.scratch<subgroup>} : memref<250xf32>
      %sum = affine.for %i = 0 to 224 step 32 iter_args(%a = %zero) -> (vector<32xf32>) {
        %v = vector.transfer_read %x[%t, %i], %z {in_bounds = [true]} : memref<6x250xf32>, vector<32xf32>
        vector.transfer_write %v, %s[%i] {in_bounds = [true]} : vector<32xf32>, memref<250xf32>
        %n = arith.addf %a, %v : vector<32xf32>
        affine.yield %n : vector<32xf32>
      }
      %v = vector.transfer_read %x[%t, %c224], %z, %m {in_bounds = [true]} : memref<6x250xf32>, vector<32xf32>
      vector.transfer_write %v, %s[%c224], %m {in_bounds = [true]} : vector<32xf32>, memref<250xf32>
      %n = arith.addf %sum, %v : vector<32xf32>
      %sel = arith.select %m, %n, %sum : vector<32xi1>, vector<32xf32>
      %r = vector.reduction <add>, %sel : vector<32xf32> into f32
      %o = memref.subview %y[%t, 0] [1, 250] [1, 1] : memref<6x250xf32> to memref<250xf32, strided<[1], offset: ?>>
      affine.for %i = 0 to 224 step 32 {
        %v2 = vector.transfer_read %s[%i], %z {in_bounds = [true]} : memref<250xf32>, vector<32xf32>
        %rb = vector.broadcast %r : f32 to vector<32xf32>
        %d = arith.divf %v2, %rb : vector<32xf32>
        vector.transfer_write %d, %o[%i] {in_bounds = [true]} : vector<32xf32>, memref<250xf32, strided<[1], offset: ?>>
      }
    } {mapping = [#kernel.level<subgroup>]}
    kernel.return
  }
}

// -----

// A block stages a tile through shared memory: a barrier between writing rows and reading columns, none before the first write.

// CHECK-LABEL: gpu.module @transpose
// CHECK:         gpu.func @phase0({{.*}}) workgroup(%[[S:.*]]: memref<32x33xf32, #gpu.address_space<workgroup>>)
// CHECK-NOT:     gpu.barrier
// CHECK:         vector.transfer_write %{{.*}}, %[[S]]
// CHECK:         gpu.barrier
// CHECK-NEXT:    affine.for
// CHECK:           vector.gather %[[S]]
// CHECK-NOT:     gpu.barrier
// CHECK:         gpu.return
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @transpose(%x: memref<64x32xf32>, %y: memref<32x64xf32>) attributes {access = ["read", "write"]} {
    %z = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (2) {
      %s = memref.alloca() {scratch = #kernel.scratch<block>} : memref<32x33xf32>
      %row = affine.apply affine_map<(d0) -> (d0 * 32)>(%t)
      scf.forall (%w) in (4) {
        affine.for %i = 0 to 8 {
          %r = affine.apply affine_map<(d0, d1) -> (d0 * 8 + d1)>(%w, %i)
          %g = affine.apply affine_map<(d0, d1) -> (d0 + d1)>(%r, %row)
          %v = vector.transfer_read %x[%g, %c0], %z {in_bounds = [true]} : memref<64x32xf32>, vector<32xf32>
          vector.transfer_write %v, %s[%r, %c0] {in_bounds = [true]} : vector<32xf32>, memref<32x33xf32>
        }
      } {mapping = [#kernel.level<subgroup>]}
      scf.forall (%w) in (4) {
        affine.for %i = 0 to 8 {
          %c = affine.apply affine_map<(d0, d1) -> (d0 * 8 + d1)>(%w, %i)
          %step = vector.step : vector<32xindex>
          %c33 = arith.constant dense<33> : vector<32xindex>
          %offsets = arith.muli %step, %c33 : vector<32xindex>
          %all = arith.constant dense<true> : vector<32xi1>
          %none = arith.constant dense<0.0> : vector<32xf32>
          %v = vector.gather %s[%c0, %c] [%offsets], %all, %none : memref<32x33xf32>, vector<32xindex>, vector<32xi1>, vector<32xf32> into vector<32xf32>
          vector.transfer_write %v, %y[%c, %row] {in_bounds = [true]} : vector<32xf32>, memref<32x64xf32>
        }
      } {mapping = [#kernel.level<subgroup>]}
    } {mapping = [#kernel.level<block>]}
    kernel.return
  }
}

// -----

// A ring of three slots on the matrix unit: the accumulator is 8 tiles of 2x2 in registers, factors come by ldmatrix, copies are
// asynchronous in swizzled 16-byte chunks, and one barrier a trip is enough, since the slot that is copied to is not the one read.

// CHECK-LABEL: gpu.module @ring
// CHECK:         gpu.func @phase0({{.*}}) workgroup(%[[A:.*]]: memref<3x64x32xf16, #gpu.address_space<workgroup>>, %[[B:.*]]: memref<3x32x64xf16, #gpu.address_space<workgroup>>)
// CHECK:         %[[ACC:.*]] = memref.alloca() : memref<8x2x2xf32, #gpu.address_space<private>>
// CHECK:         affine.for
// CHECK-NOT:       gpu.barrier
// CHECK:           nvgpu.device_async_copy %{{.*}}, %[[A]][%{{.*}}], 8 {bypassL1}
// CHECK:           nvgpu.device_async_create_group {}
// CHECK-NOT:       gpu.barrier
// CHECK:         affine.for
// CHECK-NEXT:      nvgpu.device_async_wait {numGroups = 1 : i32}
// CHECK-NEXT:      gpu.barrier
// CHECK:           %[[L:.*]] = nvgpu.ldmatrix %[[A]][{{.*}}] {numTiles = 4 : i32, transpose = false}
// CHECK:           nvgpu.ldmatrix %[[B]][{{.*}}] {numTiles = 4 : i32, transpose = true}
// CHECK:           nvgpu.mma.sync(%[[L]],
// CHECK-NOT:       gpu.barrier
// CHECK:           arith.xori
// CHECK:           nvgpu.device_async_copy
// CHECK:           nvgpu.device_async_create_group
// CHECK:         vector.transfer_write %{{.*}} {alignment = 8 : i64, in_bounds = [true]} : vector<2xf32>, memref<128x64xf32>
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @ring(%a: memref<128x256xf16>, %c: memref<128x64xf32>) attributes {access = ["read", "write"]} {
    %z = arith.constant 0.0 : f16
    %zf = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (2) {
      %as = memref.alloca() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : memref<3x64x32xf16>
      %bs = memref.alloca() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : memref<3x32x64xf16>
      %acc = memref.alloca() {scratch = #kernel.scratch<subgroup>} : memref<4x32x32xf32>
      %row = affine.apply affine_map<(d0) -> (d0 * 64)>(%t)
      scf.forall (%w) in (4) {
        %zero = arith.constant dense<0.0> : vector<32x32xf32>
        vector.transfer_write %zero, %acc[%w, %c0, %c0] {in_bounds = [true, true]} : vector<32x32xf32>, memref<4x32x32xf32>
      } {mapping = [#kernel.level<subgroup>]}
      affine.for %k = 0 to 2 {
        scf.forall (%w) in (4) {
          %r = affine.apply affine_map<(d0) -> (d0 * 16)>(%w)
          %gr = affine.apply affine_map<(d0, d1) -> (d0 + d1)>(%r, %row)
          %kk = affine.apply affine_map<(d0) -> (d0 * 32)>(%k)
          %v = vector.transfer_read %a[%gr, %kk], %z {in_bounds = [true, true]} : memref<128x256xf16>, vector<16x32xf16>
          vector.transfer_write %v, %as[%k, %r, %c0] {in_bounds = [true, true], async} : vector<16x32xf16>, memref<3x64x32xf16>
        } {mapping = [#kernel.level<subgroup>]}
      }
      affine.for %k = 0 to 6 {
        scf.forall (%w) in (4) {
          %slot = affine.apply affine_map<(d0) -> (d0 mod 3)>(%k)
          %m0 = affine.apply affine_map<(d0) -> (d0 floordiv 2 * 32)>(%w)
          %n0 = affine.apply affine_map<(d0) -> (d0 mod 2 * 32)>(%w)
          %old = vector.transfer_read %acc[%w, %c0, %c0], %zf {in_bounds = [true, true]} : memref<4x32x32xf32>, vector<32x32xf32>
          %l = vector.transfer_read %as[%slot, %m0, %c0], %z {in_bounds = [true, true]} : memref<3x64x32xf16>, vector<32x32xf16>
          %r = vector.transfer_read %bs[%slot, %c0, %n0], %z {in_bounds = [true, true]} : memref<3x32x64xf16>, vector<32x32xf16>
          %new = vector.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %l, %r, %old : vector<32x32xf16>, vector<32x32xf16> into vector<32x32xf32>
          vector.transfer_write %new, %acc[%w, %c0, %c0] {in_bounds = [true, true]} : vector<32x32xf32>, memref<4x32x32xf32>
        } {mapping = [#kernel.level<subgroup>], wait = 1 : i64}
        scf.forall (%w) in (4) {
          %slot = affine.apply affine_map<(d0) -> ((d0 + 2) mod 3)>(%k)
          %r = affine.apply affine_map<(d0) -> (d0 * 16)>(%w)
          %gr = affine.apply affine_map<(d0, d1) -> (d0 + d1)>(%r, %row)
          %kk = affine.apply affine_map<(d0) -> (d0 * 32 + 64)>(%k)
          %v = vector.transfer_read %a[%gr, %kk], %z {in_bounds = [true, true]} : memref<128x256xf16>, vector<16x32xf16>
          vector.transfer_write %v, %as[%slot, %r, %c0] {in_bounds = [true, true], async} : vector<16x32xf16>, memref<3x64x32xf16>
        } {mapping = [#kernel.level<subgroup>]}
      }
      scf.forall (%w) in (4) {
        %m0 = affine.apply affine_map<(d0, d1) -> (d0 floordiv 2 * 32 + d1)>(%w, %row)
        %n0 = affine.apply affine_map<(d0) -> (d0 mod 2 * 32)>(%w)
        %old = vector.transfer_read %acc[%w, %c0, %c0], %zf {in_bounds = [true, true]} : memref<4x32x32xf32>, vector<32x32xf32>
        vector.transfer_write %old, %c[%m0, %n0] {in_bounds = [true, true]} : vector<32x32xf32>, memref<128x64xf32>
      } {mapping = [#kernel.level<subgroup>]}
    } {mapping = [#kernel.level<block>]}
    kernel.return
  }
}

// -----

// Two slots in turn: the slot written is not the one still read, so the barrier before reading is enough.

// CHECK-LABEL: gpu.module @two_slots
// CHECK:         affine.for
// CHECK-NOT:       gpu.barrier
// CHECK:           vector.transfer_write %{{.*}} : vector<2xf32>, memref<2x128xf32, #gpu.address_space<workgroup>>
// CHECK:           gpu.barrier
// CHECK:           vector.transfer_read %{{.*}} : memref<2x128xf32, #gpu.address_space<workgroup>>, vector<2xf32>
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @two_slots(%x: memref<8x128xf32>, %y: memref<8x128xf32>) attributes {access = ["read", "write"]} {
    %z = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (1) {
      %s = memref.alloca() {scratch = #kernel.scratch<block>} : memref<2x128xf32>
      affine.for %k = 0 to 8 {
        %slot = affine.apply affine_map<(d0) -> (d0 mod 2)>(%k)
        scf.forall (%w) in (2) {
          %half = affine.apply affine_map<(d0) -> (d0 * 64)>(%w)
          %v = vector.transfer_read %x[%k, %half], %z {in_bounds = [true]} : memref<8x128xf32>, vector<64xf32>
          vector.transfer_write %v, %s[%slot, %half] {in_bounds = [true]} : vector<64xf32>, memref<2x128xf32>
        } {mapping = [#kernel.level<subgroup>]}
        scf.forall (%w) in (2) {
          %other = affine.apply affine_map<(d0) -> (64 - d0 * 64)>(%w)
          %v = vector.transfer_read %s[%slot, %other], %z {in_bounds = [true]} : memref<2x128xf32>, vector<64xf32>
          vector.transfer_write %v, %y[%k, %other] {in_bounds = [true]} : vector<64xf32>, memref<8x128xf32>
        } {mapping = [#kernel.level<subgroup>]}
      }
    } {mapping = [#kernel.level<block>]}
    kernel.return
  }
}

// -----

// The same slot every time: a barrier before writing it again, too.

// CHECK-LABEL: gpu.module @one_slot
// CHECK:         affine.for
// CHECK:           gpu.barrier
// CHECK:           vector.transfer_write %{{.*}} : vector<2xf32>, memref<2x128xf32, #gpu.address_space<workgroup>>
// CHECK:           gpu.barrier
// CHECK:           vector.transfer_read %{{.*}} : memref<2x128xf32, #gpu.address_space<workgroup>>, vector<2xf32>
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @one_slot(%x: memref<8x128xf32>, %y: memref<8x128xf32>) attributes {access = ["read", "write"]} {
    %z = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (1) {
      %s = memref.alloca() {scratch = #kernel.scratch<block>} : memref<2x128xf32>
      affine.for %k = 0 to 8 {
        %slot = affine.apply affine_map<(d0) -> (d0 mod 1)>(%k)
        scf.forall (%w) in (2) {
          %half = affine.apply affine_map<(d0) -> (d0 * 64)>(%w)
          %v = vector.transfer_read %x[%k, %half], %z {in_bounds = [true]} : memref<8x128xf32>, vector<64xf32>
          vector.transfer_write %v, %s[%slot, %half] {in_bounds = [true]} : vector<64xf32>, memref<2x128xf32>
        } {mapping = [#kernel.level<subgroup>]}
        scf.forall (%w) in (2) {
          %other = affine.apply affine_map<(d0) -> (64 - d0 * 64)>(%w)
          %v = vector.transfer_read %s[%slot, %other], %z {in_bounds = [true]} : memref<2x128xf32>, vector<64xf32>
          vector.transfer_write %v, %y[%k, %other] {in_bounds = [true]} : vector<64xf32>, memref<8x128xf32>
        } {mapping = [#kernel.level<subgroup>]}
      }
    } {mapping = [#kernel.level<block>]}
    kernel.return
  }
}

// -----

// An outer product over a grid of 4 x 8 lanes: each lane has 8 rows and 8 columns of the accumulator, in runs of four.

// CHECK-LABEL: gpu.module @outer_product
// CHECK:         memref.alloca() : memref<16x4xf32, #gpu.address_space<private>>
// CHECK:         vector.transfer_read %{{.*}} {alignment = 16 : i64, {{.*}}} : memref<8x32xf32, #gpu.address_space<workgroup>>, vector<4xf32>
// CHECK:         vector.extract %{{.*}}[0] : f32 from vector<4xf32>
// CHECK:         math.fma
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @outer_product(%c: memref<32x64xf32>) attributes {access = ["write"], schedule = #kernel.schedule<"block-contraction", {lanes_m = 4 : i64, lanes_n = 8 : i64}>} {
    %z = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (1) {
      %as = memref.alloca() {scratch = #kernel.scratch<block>} : memref<8x32xf32>
      %bs = memref.alloca() {scratch = #kernel.scratch<block>} : memref<8x64xf32>
      %acc = memref.alloca() {scratch = #kernel.scratch<subgroup>} : memref<1x32x64xf32>
      affine.for %k = 0 to 8 {
        scf.forall (%w) in (1) {
          %old = vector.transfer_read %acc[%w, %c0, %c0], %z {in_bounds = [true, true]} : memref<1x32x64xf32>, vector<32x64xf32>
          %l = vector.transfer_read %as[%k, %c0], %z {in_bounds = [true, true]} : memref<8x32xf32>, vector<1x32xf32>
          %r = vector.transfer_read %bs[%k, %c0], %z {in_bounds = [true, true]} : memref<8x64xf32>, vector<1x64xf32>
          %new = vector.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %l, %r, %old : vector<1x32xf32>, vector<1x64xf32> into vector<32x64xf32>
          vector.transfer_write %new, %acc[%w, %c0, %c0] {in_bounds = [true, true]} : vector<32x64xf32>, memref<1x32x64xf32>
        } {mapping = [#kernel.level<subgroup>]}
      }
      scf.forall (%w) in (1) {
        %new = vector.transfer_read %acc[%w, %c0, %c0], %z {in_bounds = [true, true]} : memref<1x32x64xf32>, vector<32x64xf32>
        vector.transfer_write %new, %c[%c0, %c0] {in_bounds = [true, true]} : vector<32x64xf32>, memref<32x64xf32>
      } {mapping = [#kernel.level<subgroup>]}
    } {mapping = [#kernel.level<block>]}
    kernel.return
  }
}

// -----

// A task a thread: the body as it is. A loop without a mapping is mapped so, too.

// CHECK-LABEL: gpu.module @threads
// CHECK:         gpu.func @phase0
// CHECK-SAME:      known_block_size = array<i32: 128, 1, 1>, known_grid_size = array<i32: 8, 1, 1>
// CHECK:         %[[T:.*]] = gpu.thread_id x upper_bound 128
// CHECK:         %[[N:.*]] = affine.apply affine_map<(d0, d1) -> (((d0 * 128) + d1))> (%{{.*}}, %[[T]])
// CHECK:         arith.cmpi slt, %[[N]]
// CHECK:         scf.if
// CHECK:           %[[I:.*]] = affine.apply affine_map<(d0) -> ((d0 floordiv 10))> (%[[N]])
// CHECK-NEXT:      %[[J:.*]] = affine.apply {{.*}} (%[[N]])
// CHECK:           memref.load %{{.*}}[%[[I]], %[[J]]]
// CHECK:         gpu.func @phase1
// CHECK-SAME:      known_block_size = array<i32: 32, 1, 1>, known_grid_size = array<i32: 1, 1, 1>
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @threads(%x: memref<100x10xi1>, %y: memref<100x10xi1>) attributes {access = ["read", "write"]} {
    %c0 = arith.constant 0 : index
    scf.forall (%i, %j) in (100, 10) {
      %v = memref.load %x[%i, %j] : memref<100x10xi1>
      memref.store %v, %y[%i, %j] : memref<100x10xi1>
    } {mapping = [#kernel.level<thread>]}
    scf.forall (%i) in (5) {
      %v = memref.load %x[%i, %c0] : memref<100x10xi1>
      memref.store %v, %y[%i, %c0] : memref<100x10xi1>
    }
    kernel.return
  }
}

// -----

// Shared memory beyond what is static is asked for by the launch.

// CHECK-LABEL: gpu.module @large
// CHECK:         gpu.func @phase0(%{{.*}}: memref<16384xf32>) kernel
// CHECK:         %[[ALL:.*]] = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
// CHECK:         memref.view %[[ALL]][%{{.*}}][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<16384xf32, #gpu.address_space<workgroup>>
// CHECK:         func.func @main
// CHECK:         %[[BYTES:.*]] = arith.constant 65536 : i32
// CHECK:         gpu.launch_func @large::@phase0 {{.*}} dynamic_shared_memory_size %[[BYTES]]
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @large(%y: memref<16384xf32>) attributes {access = ["write"]} {
    %z = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    scf.forall (%t) in (1) {
      %s = memref.alloca() {scratch = #kernel.scratch<block>} : memref<16384xf32>
      scf.forall (%w) in (1) {
        %v = arith.constant dense<1.0> : vector<128xf32>
        vector.transfer_write %v, %s[%c0] {in_bounds = [true]} : vector<128xf32>, memref<16384xf32>
      } {mapping = [#kernel.level<subgroup>]}
      scf.forall (%w) in (1) {
        %v = vector.transfer_read %s[%c0], %z {in_bounds = [true]} : memref<16384xf32>, vector<128xf32>
        vector.transfer_write %v, %y[%c0] {in_bounds = [true]} : vector<128xf32>, memref<16384xf32>
      } {mapping = [#kernel.level<subgroup>]}
    } {mapping = [#kernel.level<block>]}
    kernel.return
  }
  func.func @main(%y: memref<16384xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>) {
    kernel.launch @large outs(%y : memref<16384xf32>)
    func.return
  }
}

// -----

// The host: a kernel of its own works on copies, a copy on the device stays there, a condition is copied first.

// CHECK-LABEL: kernel.func @sorted
// CHECK:         func.func @main(%[[X:.*]]: memref<16xi32>, %[[FLAG:.*]]: memref<i1>, %[[OUT:.*]]: memref<16xi32>, %{{.*}}: memref<?xi8>, %[[WORKERS:.*]]: memref<?x1024xi8>, %[[STAGING:.*]]: memref<?xi8>)
// CHECK-SAME:      staging_bytes = 128 : i64
// CHECK-DAG:     %[[IN:.*]] = memref.view %[[STAGING]][%{{.*}}][] : memref<?xi8> to memref<16xi32>
// CHECK:         gpu.memcpy %[[IN]], %[[X]]
// CHECK:         %[[RESULT:.*]] = memref.view %[[STAGING]]
// CHECK-NOT:     gpu.memcpy
// CHECK:         kernel.launch @sorted ins(%[[IN]] : memref<16xi32>) outs(%[[RESULT]] : memref<16xi32>) scratch(%[[WORKERS]] : memref<?x1024xi8>)
// CHECK-NEXT:    gpu.memcpy %[[OUT]], %[[RESULT]]
// CHECK:         %[[BIT:.*]] = memref.view %[[STAGING]][%{{.*}}][] : memref<?xi8> to memref<i1>
// CHECK-NEXT:    gpu.memcpy %[[BIT]], %[[FLAG]]
// CHECK-NEXT:    %[[C:.*]] = memref.load %[[BIT]][]
// CHECK-NEXT:    scf.if %[[C]] {
// CHECK-NEXT:      gpu.memcpy %[[OUT]], %[[X]]
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  kernel.func @sorted(%x: memref<16xi32>, %y: memref<16xi32>, %workers: memref<?x1024xi8>) attributes {access = ["read", "write"], worker_bytes = 1024 : i64, kernel.place = "host"} {
    scf.forall (%t) in (16) {
      %v = memref.load %x[%t] : memref<16xi32>
      memref.store %v, %y[%t] : memref<16xi32>
    }
    kernel.return
  }
  func.func @main(%x: memref<16xi32>, %flag: memref<i1>, %out: memref<16xi32>, %arena: memref<?xi8>, %workers: memref<?x1024xi8>) attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<16xi32>", "tensor<i1>"], outputs = ["tensor<16xi32>"], donated = array<i64>, arena_bytes = 0 : i64, lower_bound_bytes = 0 : i64, worker_bytes = 1024 : i64}>} {
    kernel.launch @sorted ins(%x : memref<16xi32>) outs(%out : memref<16xi32>) scratch(%workers : memref<?x1024xi8>)
    %c = memref.load %flag[] : memref<i1>
    scf.if %c {
      "memref.copy"(%x, %out) : (memref<16xi32>, memref<16xi32>) -> ()
    }
    func.return
  }
}

// -----

// What is strided is copied and filled where it is: nothing passes through the host.

// CHECK-LABEL: func.func @slices
// CHECK-SAME:      staging_bytes = 0 : i64
// CHECK:         %[[S:.*]] = memref.subview %x[1, 2] [3, 4] [2, 1]
// CHECK:         %[[T:.*]] = memref.subview %out[0, 1] [3, 4] [1, 1]
// CHECK-NEXT:    gpu.memcpy %[[T]], %[[S]] : memref<3x4xf32, strided<[6, 1], offset: 1>>, memref<3x4xf32, strided<[16, 1], offset: 10>>
// CHECK-NEXT:    gpu.memset %[[T]], %{{.*}} : memref<3x4xf32, strided<[6, 1], offset: 1>>, f32
// CHECK-NEXT:    func.return
builtin.module attributes {stepwell.target = #stepwell.target<{subgroup = 32 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}>} {
  func.func @slices(%x: memref<8x8xf32>, %out: memref<3x6xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>) attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<8x8xf32>"], outputs = ["tensor<3x6xf32>"], donated = array<i64>, arena_bytes = 0 : i64, lower_bound_bytes = 0 : i64, worker_bytes = 0 : i64}>} {
    %f = arith.constant 2.0 : f32
    %s = memref.subview %x[1, 2] [3, 4] [2, 1] : memref<8x8xf32> to memref<3x4xf32, strided<[16, 1], offset: 10>>
    %t = memref.subview %out[0, 1] [3, 4] [1, 1] : memref<3x6xf32> to memref<3x4xf32, strided<[6, 1], offset: 1>>
    "memref.copy"(%s, %t) : (memref<3x4xf32, strided<[16, 1], offset: 10>>, memref<3x4xf32, strided<[6, 1], offset: 1>>) -> ()
    linalg.fill ins(%f : f32) outs(%t : memref<3x4xf32, strided<[6, 1], offset: 1>>)
    func.return
  }
}
