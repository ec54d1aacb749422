// Sums of rows: four elements a thread, then the lanes of a subgroup, then the subgroups of a block.
gpu.module @block_sum {
  gpu.func @phase0(%x: memref<64x4096xf32>, %o: memref<64xf32>)
      workgroup(%parts: memref<8xf32, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>, access = ["read", "write"]} {
    %c0 = arith.constant 0 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c1024 = arith.constant 1024 : index
    %c4096 = arith.constant 4096 : index
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : vector<4xf32>
    %b = gpu.block_id x
    %t = gpu.thread_id x
    %lane = gpu.lane_id
    %w = gpu.subgroup_id : index
    %first = arith.muli %t, %c4 : index
    %sum = scf.for %i = %first to %c4096 step %c1024 iter_args(%acc = %zeros) -> (vector<4xf32>) {
      %v = vector.transfer_read %x[%b, %i], %zero {in_bounds = [true], alignment = 16 : i64} : memref<64x4096xf32>, vector<4xf32>
      %n = arith.addf %acc, %v : vector<4xf32>
      scf.yield %n : vector<4xf32>
    }
    %mine = vector.reduction <add>, %sum fastmath<reassoc> : vector<4xf32> into f32
    %part = gpu.subgroup_reduce add %mine uniform : (f32) -> f32
    %leads = arith.cmpi eq, %lane, %c0 : index
    scf.if %leads {
      memref.store %part, %parts[%w] : memref<8xf32, #gpu.address_space<workgroup>>
    }
    gpu.barrier
    %is_first = arith.cmpi eq, %w, %c0 : index
    scf.if %is_first {
      %known = arith.cmpi ult, %lane, %c8 : index
      %held = scf.if %known -> (f32) {
        %p = memref.load %parts[%lane] : memref<8xf32, #gpu.address_space<workgroup>>
        scf.yield %p : f32
      } else {
        scf.yield %zero : f32
      }
      %total = gpu.subgroup_reduce add %held uniform : (f32) -> f32
      scf.if %leads {
        memref.store %total, %o[%b] : memref<64xf32>
      }
    }
    gpu.return
  }
}
