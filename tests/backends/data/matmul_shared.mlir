// 64x64 tiles of C by 256 threads of 4x4 outer products; tiles of A (transposed) and B in shared memory.
gpu.module @matmul {
  gpu.func @phase0(%a: memref<256x512xf32>, %b: memref<512x192xf32>, %c: memref<256x192xf32>)
      workgroup(%as: memref<16x64xf32, #gpu.address_space<workgroup>>, %bs: memref<16x64xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 256, 1, 1>, access = ["read", "read", "write"]} {
    %c0 = arith.constant 0 : index
    %c16 = arith.constant 16 : index
    %c512 = arith.constant 512 : index
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : vector<4x4xf32>
    %block = gpu.block_id x
    %t = gpu.thread_id x
    %i0 = affine.apply affine_map<(b) -> ((b floordiv 3) * 64)>(%block)
    %j0 = affine.apply affine_map<(b) -> ((b mod 3) * 64)>(%block)
    %am = affine.apply affine_map<(t) -> (t floordiv 4)>(%t)
    %ak = affine.apply affine_map<(t) -> ((t mod 4) * 4)>(%t)
    %bk = affine.apply affine_map<(t) -> (t floordiv 16)>(%t)
    %bn = affine.apply affine_map<(t) -> ((t mod 16) * 4)>(%t)
    %acc = scf.for %k = %c0 to %c512 step %c16 iter_args(%sum = %zeros) -> (vector<4x4xf32>) {
      %ai = arith.addi %i0, %am : index
      %ki = arith.addi %k, %ak : index
      %va = vector.transfer_read %a[%ai, %ki], %zero {in_bounds = [true], alignment = 16 : i64} : memref<256x512xf32>, vector<4xf32>
      %k0 = affine.apply affine_map<(k) -> (k)>(%ak)
      %k1 = affine.apply affine_map<(k) -> (k + 1)>(%ak)
      %k2 = affine.apply affine_map<(k) -> (k + 2)>(%ak)
      %k3 = affine.apply affine_map<(k) -> (k + 3)>(%ak)
      %e0 = vector.extract %va[0] : f32 from vector<4xf32>
      %e1 = vector.extract %va[1] : f32 from vector<4xf32>
      %e2 = vector.extract %va[2] : f32 from vector<4xf32>
      %e3 = vector.extract %va[3] : f32 from vector<4xf32>
      memref.store %e0, %as[%k0, %am] : memref<16x64xf32, #gpu.address_space<workgroup>>
      memref.store %e1, %as[%k1, %am] : memref<16x64xf32, #gpu.address_space<workgroup>>
      memref.store %e2, %as[%k2, %am] : memref<16x64xf32, #gpu.address_space<workgroup>>
      memref.store %e3, %as[%k3, %am] : memref<16x64xf32, #gpu.address_space<workgroup>>
      %kb = arith.addi %k, %bk : index
      %jb = arith.addi %j0, %bn : index
      %vb = vector.transfer_read %b[%kb, %jb], %zero {in_bounds = [true], alignment = 16 : i64} : memref<512x192xf32>, vector<4xf32>
      vector.transfer_write %vb, %bs[%bk, %bn] {in_bounds = [true], alignment = 16 : i64} : vector<4xf32>, memref<16x64xf32, #gpu.address_space<workgroup>>
      gpu.barrier
      %next = affine.for %kk = 0 to 16 iter_args(%s = %sum) -> (vector<4x4xf32>) {
        %mt = affine.apply affine_map<(t) -> ((t floordiv 16) * 4)>(%t)
        %x = vector.transfer_read %as[%kk, %mt], %zero {in_bounds = [true], alignment = 16 : i64} : memref<16x64xf32, #gpu.address_space<workgroup>>, vector<4xf32>
        %y = vector.transfer_read %bs[%kk, %bn], %zero {in_bounds = [true], alignment = 16 : i64} : memref<16x64xf32, #gpu.address_space<workgroup>>, vector<4xf32>
        %n = vector.outerproduct %x, %y, %s {kind = #vector.kind<add>} : vector<4xf32>, vector<4xf32>
        affine.yield %n : vector<4x4xf32>
      } {unroll = 16 : i64}
      gpu.barrier
      scf.yield %next : vector<4x4xf32>
    }
    %mo = affine.apply affine_map<(t) -> ((t floordiv 16) * 4)>(%t)
    %io = arith.addi %i0, %mo : index
    %jo = arith.addi %j0, %bn : index
    vector.transfer_write %acc, %c[%io, %jo] {in_bounds = [true, true], alignment = 16 : i64} : vector<4x4xf32>, memref<256x192xf32>
    gpu.return
  }
}
