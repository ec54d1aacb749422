// Four elements a thread; the last thread has fewer.
gpu.module @k0 {
  gpu.func @phase0(%a: f32, %x: memref<1000xf32>, %y: memref<1000xf32>, %o: memref<1000xf32>) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>, access = ["read", "read", "read", "write"]} {
    %c4 = arith.constant 4 : index
    %c128 = arith.constant 128 : index
    %n = arith.constant 1000 : index
    %pad = arith.constant 0.0 : f32
    %b = gpu.block_id x
    %t = gpu.thread_id x
    %first = arith.muli %b, %c128 : index
    %g = arith.addi %first, %t : index
    %i = arith.muli %g, %c4 : index
    %left = arith.subi %n, %i : index
    %m = vector.create_mask %left : vector<4xi1>
    %vx = vector.transfer_read %x[%i], %pad, %m {in_bounds = [true], alignment = 16 : i64} : memref<1000xf32>, vector<4xf32>
    %vy = vector.transfer_read %y[%i], %pad, %m {in_bounds = [true], alignment = 16 : i64} : memref<1000xf32>, vector<4xf32>
    %va = vector.broadcast %a : f32 to vector<4xf32>
    %r = math.fma %va, %vx, %vy : vector<4xf32>
    vector.transfer_write %r, %o[%i], %m {in_bounds = [true], alignment = 16 : i64} : vector<4xf32>, memref<1000xf32>
    gpu.return
  }
}
