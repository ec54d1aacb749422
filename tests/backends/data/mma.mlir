// C = A * B on the matrix units: 64x64 tiles by four subgroups; tiles of A and B are copied ahead into two stages.
gpu.module @mma {
  gpu.func @phase0(%a: memref<256x512xf16>, %b: memref<512x256xf16>, %c: memref<256x256xf32>) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>, known_grid_size = array<i32: 16, 1, 1>, access = ["read", "read", "write"]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8192 = arith.constant 8192 : index
    %c32 = arith.constant 32 : index
    %c480 = arith.constant 480 : index
    %c512 = arith.constant 512 : index
    %shared = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %as = memref.view %shared[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<2x64x32xf16, #gpu.address_space<workgroup>>
    %bs = memref.view %shared[%c8192][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<2x32x64xf16, #gpu.address_space<workgroup>>
    %block = gpu.block_id x
    %t = gpu.thread_id x
    %lane = gpu.lane_id
    %w = gpu.subgroup_id : index
    %i0 = affine.apply affine_map<(b) -> ((b floordiv 4) * 64)>(%block)
    %j0 = affine.apply affine_map<(b) -> ((b mod 4) * 64)>(%block)
    %pam0 = affine.apply affine_map<(t) -> (t floordiv 4 + 0)>(%t)
    %pak0 = affine.apply affine_map<(t) -> ((t mod 4) * 8)>(%t)
    %pgi0 = arith.addi %i0, %pam0 : index
    %pgk0 = arith.addi %c0, %pak0 : index
    %pta0 = nvgpu.device_async_copy %a[%pgi0, %pgk0], %as[%c0, %pam0, %pak0], 8 : memref<256x512xf16> to memref<2x64x32xf16, #gpu.address_space<workgroup>>
    %pbk0 = affine.apply affine_map<(t) -> (t floordiv 8 + 0)>(%t)
    %pbn0 = affine.apply affine_map<(t) -> ((t mod 8) * 8)>(%t)
    %phk0 = arith.addi %c0, %pbk0 : index
    %phj0 = arith.addi %j0, %pbn0 : index
    %ptb0 = nvgpu.device_async_copy %b[%phk0, %phj0], %bs[%c0, %pbk0, %pbn0], 8 : memref<512x256xf16> to memref<2x32x64xf16, #gpu.address_space<workgroup>>
    %pam1 = affine.apply affine_map<(t) -> (t floordiv 4 + 32)>(%t)
    %pak1 = affine.apply affine_map<(t) -> ((t mod 4) * 8)>(%t)
    %pgi1 = arith.addi %i0, %pam1 : index
    %pgk1 = arith.addi %c0, %pak1 : index
    %pta1 = nvgpu.device_async_copy %a[%pgi1, %pgk1], %as[%c0, %pam1, %pak1], 8 : memref<256x512xf16> to memref<2x64x32xf16, #gpu.address_space<workgroup>>
    %pbk1 = affine.apply affine_map<(t) -> (t floordiv 8 + 16)>(%t)
    %pbn1 = affine.apply affine_map<(t) -> ((t mod 8) * 8)>(%t)
    %phk1 = arith.addi %c0, %pbk1 : index
    %phj1 = arith.addi %j0, %pbn1 : index
    %ptb1 = nvgpu.device_async_copy %b[%phk1, %phj1], %bs[%c0, %pbk1, %pbn1], 8 : memref<512x256xf16> to memref<2x32x64xf16, #gpu.address_space<workgroup>>
    %g0 = nvgpu.device_async_create_group %pta0, %ptb0, %pta1, %ptb1
    %zeros = arith.constant dense<0.0> : vector<2x2xf32>
    %r:8 = scf.for %k = %c0 to %c512 step %c32 iter_args(%s00 = %zeros, %s01 = %zeros, %s02 = %zeros, %s03 = %zeros, %s10 = %zeros, %s11 = %zeros, %s12 = %zeros, %s13 = %zeros) -> (vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>) {
      %stage = affine.apply affine_map<(k) -> ((k floordiv 32) mod 2)>(%k)
      %other = arith.subi %c1, %stage : index
      %more = arith.cmpi ult, %k, %c480 : index
      scf.if %more {
        %next = arith.addi %k, %c32 : index
        %nam0 = affine.apply affine_map<(t) -> (t floordiv 4 + 0)>(%t)
        %nak0 = affine.apply affine_map<(t) -> ((t mod 4) * 8)>(%t)
        %ngi0 = arith.addi %i0, %nam0 : index
        %ngk0 = arith.addi %next, %nak0 : index
        %nta0 = nvgpu.device_async_copy %a[%ngi0, %ngk0], %as[%other, %nam0, %nak0], 8 : memref<256x512xf16> to memref<2x64x32xf16, #gpu.address_space<workgroup>>
        %nbk0 = affine.apply affine_map<(t) -> (t floordiv 8 + 0)>(%t)
        %nbn0 = affine.apply affine_map<(t) -> ((t mod 8) * 8)>(%t)
        %nhk0 = arith.addi %next, %nbk0 : index
        %nhj0 = arith.addi %j0, %nbn0 : index
        %ntb0 = nvgpu.device_async_copy %b[%nhk0, %nhj0], %bs[%other, %nbk0, %nbn0], 8 : memref<512x256xf16> to memref<2x32x64xf16, #gpu.address_space<workgroup>>
        %nam1 = affine.apply affine_map<(t) -> (t floordiv 4 + 32)>(%t)
        %nak1 = affine.apply affine_map<(t) -> ((t mod 4) * 8)>(%t)
        %ngi1 = arith.addi %i0, %nam1 : index
        %ngk1 = arith.addi %next, %nak1 : index
        %nta1 = nvgpu.device_async_copy %a[%ngi1, %ngk1], %as[%other, %nam1, %nak1], 8 : memref<256x512xf16> to memref<2x64x32xf16, #gpu.address_space<workgroup>>
        %nbk1 = affine.apply affine_map<(t) -> (t floordiv 8 + 16)>(%t)
        %nbn1 = affine.apply affine_map<(t) -> ((t mod 8) * 8)>(%t)
        %nhk1 = arith.addi %next, %nbk1 : index
        %nhj1 = arith.addi %j0, %nbn1 : index
        %ntb1 = nvgpu.device_async_copy %b[%nhk1, %nhj1], %bs[%other, %nbk1, %nbn1], 8 : memref<512x256xf16> to memref<2x32x64xf16, #gpu.address_space<workgroup>>
      }
      %g = nvgpu.device_async_create_group
      nvgpu.device_async_wait %g {numGroups = 1 : i32}
      gpu.barrier
      %ar00 = affine.apply affine_map<(l, w) -> ((w floordiv 2) * 32 + l mod 16 + 0)>(%lane, %w)
      %ac00 = affine.apply affine_map<(l) -> ((l floordiv 16) * 8 + 0)>(%lane)
      %fa00 = nvgpu.ldmatrix %as[%stage, %ar00, %ac00] {numTiles = 4 : i32, transpose = false} : memref<2x64x32xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %ar01 = affine.apply affine_map<(l, w) -> ((w floordiv 2) * 32 + l mod 16 + 16)>(%lane, %w)
      %ac01 = affine.apply affine_map<(l) -> ((l floordiv 16) * 8 + 0)>(%lane)
      %fa01 = nvgpu.ldmatrix %as[%stage, %ar01, %ac01] {numTiles = 4 : i32, transpose = false} : memref<2x64x32xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %br00 = affine.apply affine_map<(l) -> (l mod 16 + 0)>(%lane)
      %bc00 = affine.apply affine_map<(l, w) -> ((w mod 2) * 32 + (l floordiv 16) * 8 + 0)>(%lane, %w)
      %fb00 = nvgpu.ldmatrix %bs[%stage, %br00, %bc00] {numTiles = 4 : i32, transpose = true} : memref<2x32x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %fb000 = vector.extract_strided_slice %fb00 {offsets = [0, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %fb001 = vector.extract_strided_slice %fb00 {offsets = [2, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %br01 = affine.apply affine_map<(l) -> (l mod 16 + 0)>(%lane)
      %bc01 = affine.apply affine_map<(l, w) -> ((w mod 2) * 32 + (l floordiv 16) * 8 + 16)>(%lane, %w)
      %fb01 = nvgpu.ldmatrix %bs[%stage, %br01, %bc01] {numTiles = 4 : i32, transpose = true} : memref<2x32x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %fb010 = vector.extract_strided_slice %fb01 {offsets = [0, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %fb011 = vector.extract_strided_slice %fb01 {offsets = [2, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %d000 = nvgpu.mma.sync(%fa00, %fb000, %s00) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d001 = nvgpu.mma.sync(%fa00, %fb001, %s01) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d002 = nvgpu.mma.sync(%fa00, %fb010, %s02) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d003 = nvgpu.mma.sync(%fa00, %fb011, %s03) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d010 = nvgpu.mma.sync(%fa01, %fb000, %s10) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d011 = nvgpu.mma.sync(%fa01, %fb001, %s11) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d012 = nvgpu.mma.sync(%fa01, %fb010, %s12) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d013 = nvgpu.mma.sync(%fa01, %fb011, %s13) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %ar10 = affine.apply affine_map<(l, w) -> ((w floordiv 2) * 32 + l mod 16 + 0)>(%lane, %w)
      %ac10 = affine.apply affine_map<(l) -> ((l floordiv 16) * 8 + 16)>(%lane)
      %fa10 = nvgpu.ldmatrix %as[%stage, %ar10, %ac10] {numTiles = 4 : i32, transpose = false} : memref<2x64x32xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %ar11 = affine.apply affine_map<(l, w) -> ((w floordiv 2) * 32 + l mod 16 + 16)>(%lane, %w)
      %ac11 = affine.apply affine_map<(l) -> ((l floordiv 16) * 8 + 16)>(%lane)
      %fa11 = nvgpu.ldmatrix %as[%stage, %ar11, %ac11] {numTiles = 4 : i32, transpose = false} : memref<2x64x32xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %br10 = affine.apply affine_map<(l) -> (l mod 16 + 16)>(%lane)
      %bc10 = affine.apply affine_map<(l, w) -> ((w mod 2) * 32 + (l floordiv 16) * 8 + 0)>(%lane, %w)
      %fb10 = nvgpu.ldmatrix %bs[%stage, %br10, %bc10] {numTiles = 4 : i32, transpose = true} : memref<2x32x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %fb100 = vector.extract_strided_slice %fb10 {offsets = [0, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %fb101 = vector.extract_strided_slice %fb10 {offsets = [2, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %br11 = affine.apply affine_map<(l) -> (l mod 16 + 16)>(%lane)
      %bc11 = affine.apply affine_map<(l, w) -> ((w mod 2) * 32 + (l floordiv 16) * 8 + 16)>(%lane, %w)
      %fb11 = nvgpu.ldmatrix %bs[%stage, %br11, %bc11] {numTiles = 4 : i32, transpose = true} : memref<2x32x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
      %fb110 = vector.extract_strided_slice %fb11 {offsets = [0, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %fb111 = vector.extract_strided_slice %fb11 {offsets = [2, 0], sizes = [2, 2], strides = [1, 1]} : vector<4x2xf16> to vector<2x2xf16>
      %d100 = nvgpu.mma.sync(%fa10, %fb100, %d000) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d101 = nvgpu.mma.sync(%fa10, %fb101, %d001) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d102 = nvgpu.mma.sync(%fa10, %fb110, %d002) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d103 = nvgpu.mma.sync(%fa10, %fb111, %d003) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d110 = nvgpu.mma.sync(%fa11, %fb100, %d010) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d111 = nvgpu.mma.sync(%fa11, %fb101, %d011) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d112 = nvgpu.mma.sync(%fa11, %fb110, %d012) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      %d113 = nvgpu.mma.sync(%fa11, %fb111, %d013) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
      gpu.barrier
      scf.yield %d100, %d101, %d102, %d103, %d110, %d111, %d112, %d113 : vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>, vector<2x2xf32>
    }
    %v000 = vector.extract %r#0[0] : vector<2xf32> from vector<2x2xf32>
    %ci000 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 0)>(%i0, %lane, %w)
    %cj000 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 0)>(%j0, %lane, %w)
    vector.transfer_write %v000, %c[%ci000, %cj000] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v001 = vector.extract %r#0[1] : vector<2xf32> from vector<2x2xf32>
    %ci001 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 8)>(%i0, %lane, %w)
    %cj001 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 0)>(%j0, %lane, %w)
    vector.transfer_write %v001, %c[%ci001, %cj001] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v010 = vector.extract %r#1[0] : vector<2xf32> from vector<2x2xf32>
    %ci010 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 0)>(%i0, %lane, %w)
    %cj010 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 8)>(%j0, %lane, %w)
    vector.transfer_write %v010, %c[%ci010, %cj010] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v011 = vector.extract %r#1[1] : vector<2xf32> from vector<2x2xf32>
    %ci011 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 8)>(%i0, %lane, %w)
    %cj011 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 8)>(%j0, %lane, %w)
    vector.transfer_write %v011, %c[%ci011, %cj011] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v020 = vector.extract %r#2[0] : vector<2xf32> from vector<2x2xf32>
    %ci020 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 0)>(%i0, %lane, %w)
    %cj020 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 16)>(%j0, %lane, %w)
    vector.transfer_write %v020, %c[%ci020, %cj020] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v021 = vector.extract %r#2[1] : vector<2xf32> from vector<2x2xf32>
    %ci021 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 8)>(%i0, %lane, %w)
    %cj021 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 16)>(%j0, %lane, %w)
    vector.transfer_write %v021, %c[%ci021, %cj021] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v030 = vector.extract %r#3[0] : vector<2xf32> from vector<2x2xf32>
    %ci030 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 0)>(%i0, %lane, %w)
    %cj030 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 24)>(%j0, %lane, %w)
    vector.transfer_write %v030, %c[%ci030, %cj030] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v031 = vector.extract %r#3[1] : vector<2xf32> from vector<2x2xf32>
    %ci031 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 8)>(%i0, %lane, %w)
    %cj031 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 24)>(%j0, %lane, %w)
    vector.transfer_write %v031, %c[%ci031, %cj031] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v100 = vector.extract %r#4[0] : vector<2xf32> from vector<2x2xf32>
    %ci100 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 16)>(%i0, %lane, %w)
    %cj100 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 0)>(%j0, %lane, %w)
    vector.transfer_write %v100, %c[%ci100, %cj100] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v101 = vector.extract %r#4[1] : vector<2xf32> from vector<2x2xf32>
    %ci101 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 24)>(%i0, %lane, %w)
    %cj101 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 0)>(%j0, %lane, %w)
    vector.transfer_write %v101, %c[%ci101, %cj101] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v110 = vector.extract %r#5[0] : vector<2xf32> from vector<2x2xf32>
    %ci110 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 16)>(%i0, %lane, %w)
    %cj110 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 8)>(%j0, %lane, %w)
    vector.transfer_write %v110, %c[%ci110, %cj110] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v111 = vector.extract %r#5[1] : vector<2xf32> from vector<2x2xf32>
    %ci111 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 24)>(%i0, %lane, %w)
    %cj111 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 8)>(%j0, %lane, %w)
    vector.transfer_write %v111, %c[%ci111, %cj111] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v120 = vector.extract %r#6[0] : vector<2xf32> from vector<2x2xf32>
    %ci120 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 16)>(%i0, %lane, %w)
    %cj120 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 16)>(%j0, %lane, %w)
    vector.transfer_write %v120, %c[%ci120, %cj120] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v121 = vector.extract %r#6[1] : vector<2xf32> from vector<2x2xf32>
    %ci121 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 24)>(%i0, %lane, %w)
    %cj121 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 16)>(%j0, %lane, %w)
    vector.transfer_write %v121, %c[%ci121, %cj121] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v130 = vector.extract %r#7[0] : vector<2xf32> from vector<2x2xf32>
    %ci130 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 16)>(%i0, %lane, %w)
    %cj130 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 24)>(%j0, %lane, %w)
    vector.transfer_write %v130, %c[%ci130, %cj130] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    %v131 = vector.extract %r#7[1] : vector<2xf32> from vector<2x2xf32>
    %ci131 = affine.apply affine_map<(i, l, w) -> (i + (w floordiv 2) * 32 + l floordiv 4 + 24)>(%i0, %lane, %w)
    %cj131 = affine.apply affine_map<(j, l, w) -> (j + (w mod 2) * 32 + (l mod 4) * 2 + 24)>(%j0, %lane, %w)
    vector.transfer_write %v131, %c[%ci131, %cj131] {in_bounds = [true], alignment = 8 : i64} : vector<2xf32>, memref<256x256xf32>
    gpu.return
  }
}
