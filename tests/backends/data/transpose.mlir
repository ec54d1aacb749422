// A 32x32 tile by 256 threads through shared memory, padded by one column against bank conflicts.
gpu.module @transpose {
  gpu.func @phase0(%x: memref<1024x768xf32>, %o: memref<768x1024xf32>)
      workgroup(%tile: memref<32x33xf32, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>, known_grid_size = array<i32: 768, 1, 1>, access = ["read", "write"]} {
    %b = gpu.block_id x
    %lane = gpu.lane_id
    %w = gpu.subgroup_id : index
    affine.for %r = 0 to 4 {
      %row = affine.apply affine_map<(r, w) -> (r * 8 + w)>(%r, %w)
      %i = affine.apply affine_map<(b, row) -> ((b floordiv 24) * 32 + row)>(%b, %row)
      %j = affine.apply affine_map<(b, l) -> ((b mod 24) * 32 + l)>(%b, %lane)
      %v = memref.load %x[%i, %j] : memref<1024x768xf32>
      memref.store %v, %tile[%row, %lane] : memref<32x33xf32, #gpu.address_space<workgroup>>
    }
    gpu.barrier
    affine.for %r = 0 to 4 {
      %row = affine.apply affine_map<(r, w) -> (r * 8 + w)>(%r, %w)
      %i = affine.apply affine_map<(b, row) -> ((b mod 24) * 32 + row)>(%b, %row)
      %j = affine.apply affine_map<(b, l) -> ((b floordiv 24) * 32 + l)>(%b, %lane)
      %v = memref.load %tile[%lane, %row] : memref<32x33xf32, #gpu.address_space<workgroup>>
      memref.store %v, %o[%i, %j] : memref<768x1024xf32>
    }
    gpu.return
  }
}
