// RUN: stepwell-opt %s --choose-schedules --split-input-file | filecheck %s

// CHECK-LABEL: kernel.func @map
// CHECK-SAME: schedule = #kernel.schedule<"loops", {vector = 64 : i64, {{.*}}reason = "{{.+}}"}>
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64}} {
  kernel.func @map(%x: tensor<1000xf32>, %o: tensor<1000xf32>) -> tensor<1000xf32> attributes {access = ["read", "write"]} {
    kernel.return %x : tensor<1000xf32>
  }
}

// -----

// A schedule already there is kept.
// CHECK-LABEL: kernel.func @chosen
// CHECK-SAME: schedule = #kernel.schedule<"loops", {vector = 16 : i64}>
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64}} {
  kernel.func @chosen(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 16 : i64}>} {
    kernel.return %x : tensor<8xf32>
  }
}

// -----

// Register tiles by the machine: 6 x 16 on AVX2; ten microseconds of products are worth a task.
// CHECK-LABEL: kernel.func @matmul
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {vector = 32 : i64, {{.*}}grain = 10000 : i64, mr = 6 : i64, nr = 16 : i64
module attributes {stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64}} {
  kernel.func @matmul(%A: tensor<30x8xf32>, %B: tensor<8x64xf32>, %o: tensor<30x64xf32>) -> tensor<30x64xf32> attributes {access = ["read", "read", "write"]} {
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
}

// -----

// Where subgroups hold vectors: what lanes load at once, tasks for the whole machine twice over.
// CHECK-LABEL: kernel.func @subgroups
// CHECK-SAME: schedule = #kernel.schedule<"loops", {vector = 512 : i64, unroll = 2 : i64, subgroup = 32 : i64, subgroups = 8 : i64, tasks = 512 : i64, vectors = 4 : i64, split = 1 : i64, reason = "{{.*}}16 bytes a lane at once: as much as lanes load at once
// CHECK-LABEL: kernel.func @unaligned
// CHECK-SAME: schedule = #kernel.schedule<"loops", {vector = 128 : i64, unroll = 4 : i64, {{.*}}reason = "{{.*}}4 bytes a lane at once: as little as the start of rows allows
// CHECK-LABEL: kernel.func @few_points
// CHECK-SAME: schedule = #kernel.schedule<"loops", {{{.*}}split = 128 : i64, reason = "{{.*}}128 parts of a reduction to few points fill the machine
// CHECK-LABEL: kernel.func @transpose
// CHECK-SAME: schedule = #kernel.schedule<"block-transpose", {{{.*}}tile = 32 : i64, pad = 1 : i64, reason = "tiles of 32 x 32 read along one dim and written along another
module attributes {stepwell.target = {level = "simt", vector_bits = 4096 : i64, subgroup = 32 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
  kernel.func @subgroups(%x: tensor<1024x1024xf32>, %o: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> attributes {access = ["read", "write"]} {
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1024x1024xf32>) outs(%o : tensor<1024x1024xf32>) {
    ^bb0(%a: f32, %b: f32):
      %y = arith.addf %a, %a : f32
      linalg.yield %y : f32
    } -> tensor<1024x1024xf32>
    kernel.return %r : tensor<1024x1024xf32>
  }
  kernel.func @unaligned(%x: tensor<1023x1023xf32>, %v: tensor<1023xf32>, %o: tensor<1023x1023xf32>) -> tensor<1023x1023xf32> attributes {access = ["read", "read", "write"]} {
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %v : tensor<1023x1023xf32>, tensor<1023xf32>) outs(%o : tensor<1023x1023xf32>) {
    ^bb0(%a: f32, %c: f32, %b: f32):
      %y = arith.addf %a, %c : f32
      linalg.yield %y : f32
    } -> tensor<1023x1023xf32>
    kernel.return %r : tensor<1023x1023xf32>
  }
  kernel.func @few_points(%x: tensor<1024x1024xf32>, %o: tensor<f32>) -> tensor<f32> attributes {access = ["read", "write"]} {
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%o : tensor<f32>) -> tensor<f32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]} ins(%x : tensor<1024x1024xf32>) outs(%f : tensor<f32>) {
    ^bb0(%a: f32, %b: f32):
      %y = arith.addf %a, %b : f32
      linalg.yield %y : f32
    } -> tensor<f32>
    kernel.return %r : tensor<f32>
  }
  kernel.func @transpose(%x: tensor<64x64xf32>, %o: tensor<64x64xf32>) -> tensor<64x64xf32> attributes {access = ["read", "write"]} {
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x64xf32>) outs(%o : tensor<64x64xf32>) {
    ^bb0(%a: f32, %b: f32):
      linalg.yield %a : f32
    } -> tensor<64x64xf32>
    kernel.return %r : tensor<64x64xf32>
  }
}

// -----

// Rows that fit registers are a subgroup's; long ones are a block's.
// CHECK-LABEL: kernel.func @short_rows
// CHECK-SAME: schedule = #kernel.schedule<"rows", {vector = 512 : i64, {{.*}}kept = 32 : i64, shared = 49152 : i64, reason = "2 ops share 1 leading dims, a subgroup does a row of 512, held in registers"
// CHECK-LABEL: kernel.func @long_rows
// CHECK-SAME: schedule = #kernel.schedule<"block-rows", {{{.*}}subgroups = 16 : i64, {{.*}}reason = "2 ops share 1 leading dims, 16 subgroups do a row of 8192"
module attributes {stepwell.target = {level = "simt", vector_bits = 4096 : i64, subgroup = 32 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
  kernel.func @short_rows(%x: tensor<256x512xf32>, %o: tensor<256x512xf32>) -> tensor<256x512xf32> attributes {access = ["read", "write"]} {
    %e = tensor.empty() : tensor<256xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<256xf32>) -> tensor<256xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<256x512xf32>) outs(%f : tensor<256xf32>) {
    ^bb0(%a: f32, %b: f32):
      %y = arith.addf %a, %b : f32
      linalg.yield %y : f32
    } -> tensor<256xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<256x512xf32>, tensor<256xf32>) outs(%o : tensor<256x512xf32>) {
    ^bb0(%a: f32, %b: f32, %d: f32):
      %y = arith.divf %a, %b : f32
      linalg.yield %y : f32
    } -> tensor<256x512xf32>
    kernel.return %r : tensor<256x512xf32>
  }
  kernel.func @long_rows(%x: tensor<256x8192xf32>, %o: tensor<256x8192xf32>) -> tensor<256x8192xf32> attributes {access = ["read", "write"]} {
    %e = tensor.empty() : tensor<256xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<256xf32>) -> tensor<256xf32>
    %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<256x8192xf32>) outs(%f : tensor<256xf32>) {
    ^bb0(%a: f32, %b: f32):
      %y = arith.addf %a, %b : f32
      linalg.yield %y : f32
    } -> tensor<256xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<256x8192xf32>, tensor<256xf32>) outs(%o : tensor<256x8192xf32>) {
    ^bb0(%a: f32, %b: f32, %d: f32):
      %y = arith.divf %a, %b : f32
      linalg.yield %y : f32
    } -> tensor<256x8192xf32>
    kernel.return %r : tensor<256x8192xf32>
  }
}

// -----

// Results larger than the cache: their lines are fetched before they are written.
// CHECK-LABEL: kernel.func @large
// CHECK-SAME: schedule = #kernel.schedule<"loops", {{{.*}}prefetch = 2048 : i64
// CHECK-LABEL: kernel.func @small
// CHECK-NOT: prefetch
// CHECK: kernel.return
module attributes {stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64, l2_bytes = 262144 : i64}} {
  kernel.func @large(%x: tensor<65537xf32>, %o: tensor<65537xf32>) -> tensor<65537xf32> attributes {access = ["read", "write"]} {
    kernel.return %x : tensor<65537xf32>
  }
  kernel.func @small(%x: tensor<65536xf32>, %o: tensor<65536xf32>) -> tensor<65536xf32> attributes {access = ["read", "write"]} {
    kernel.return %x : tensor<65536xf32>
  }
}

// -----

// A large result that is read along another dim than it is written along is made in blocks that go through scratch.
// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: schedule = #kernel.schedule<"loops", {{{.*}}prefetch = 2048 : i64, fetch = 4096 : i64, stage = 4096 : i64, run = 128 : i64
module attributes {stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64, l2_bytes = 262144 : i64}} {
  kernel.func @turned(%x: tensor<513x512xf32>, %o: tensor<512x513xf32>) -> tensor<512x513xf32> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<512x513xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<513x512xf32>) outs(%E : tensor<512x513xf32>) {
    ^bb0(%a: f32, %d: f32):
      linalg.yield %a : f32
    } -> tensor<512x513xf32>
    kernel.return %r : tensor<512x513xf32>
  }
}

// -----

// Columns of what no core's cache holds are reduced a few lines at once...
// CHECK-LABEL: kernel.func @columns
// CHECK-SAME: fetch = 4096 : i64, lines = 4 : i64, reason
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 262144 : i64}} {
  kernel.func @columns(%x: tensor<512x1024xf32>, %o: tensor<1024xf32>) -> tensor<1024xf32> attributes {access = ["read", "write"]} {
    %c = arith.constant 0.0 : f32
    %E = tensor.empty() : tensor<1024xf32>
    %f = linalg.fill ins(%c : f32) outs(%E : tensor<1024xf32>) -> tensor<1024xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<512x1024xf32>) outs(%f : tensor<1024xf32>) {
    ^bb0(%a: f32, %b: f32):
      %y = arith.addf %b, %a : f32
      linalg.yield %y : f32
    } -> tensor<1024xf32>
    kernel.return %r : tensor<1024xf32>
  }
}

// -----

// ... but where registers hold a line of results.
// CHECK-LABEL: kernel.func @columns
// CHECK-SAME: fetch = 4096 : i64, reason
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 262144 : i64}} {
  kernel.func @columns(%x: tensor<4096x128xf32>, %o: tensor<128xf32>) -> tensor<128xf32> attributes {access = ["read", "write"]} {
    %c = arith.constant 0.0 : f32
    %E = tensor.empty() : tensor<128xf32>
    %f = linalg.fill ins(%c : f32) outs(%E : tensor<128xf32>) -> tensor<128xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4096x128xf32>) outs(%f : tensor<128xf32>) {
    ^bb0(%a: f32, %b: f32):
      %y = arith.addf %b, %a : f32
      linalg.yield %y : f32
    } -> tensor<128xf32>
    kernel.return %r : tensor<128xf32>
  }
}

// -----

// What a cache would not hold is written past it, in whole lines: turned where it is read, if a vector is a line.
// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: fetch = 4096 : i64, bypass = 1 : i64, stage = 0 : i64, reason
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 262144 : i64, l3_bytes = 4194304 : i64}} {
  kernel.func @turned(%x: tensor<1024x1024xf32>, %o: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<1024x1024xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1024x1024xf32>) outs(%E : tensor<1024x1024xf32>) {
    ^bb0(%a: f32, %d: f32):
      linalg.yield %a : f32
    } -> tensor<1024x1024xf32>
    kernel.return %r : tensor<1024x1024xf32>
  }
}

// -----

// In copies, if it is not...
// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: bypass = 1 : i64, stage = 4096 : i64, run = 256 : i64, reason
module attributes {stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64, l2_bytes = 262144 : i64, l3_bytes = 4194304 : i64}} {
  kernel.func @turned(%x: tensor<1024x1024xf32>, %o: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<1024x1024xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1024x1024xf32>) outs(%E : tensor<1024x1024xf32>) {
    ^bb0(%a: f32, %d: f32):
      linalg.yield %a : f32
    } -> tensor<1024x1024xf32>
    kernel.return %r : tensor<1024x1024xf32>
  }
}

// -----

// ... or if elements are narrow.
// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: bypass = 1 : i64, stage = 4096 : i64, run = 256 : i64, reason
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 262144 : i64, l3_bytes = 4194304 : i64}} {
  kernel.func @turned(%x: tensor<4096x1024xi8>, %o: tensor<1024x4096xi8>) -> tensor<1024x4096xi8> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<1024x4096xi8>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4096x1024xi8>) outs(%E : tensor<1024x4096xi8>) {
    ^bb0(%a: i8, %d: i8):
      linalg.yield %a : i8
    } -> tensor<1024x4096xi8>
    kernel.return %r : tensor<1024x4096xi8>
  }
}

// -----

// Not what may be read from half of the last cache again, nor lines that lie across two.
// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: stage = 4096 : i64, run = 128 : i64, reason
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 262144 : i64, l3_bytes = 67108864 : i64}} {
  kernel.func @turned(%x: tensor<1024x1024xf32>, %o: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<1024x1024xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1024x1024xf32>) outs(%E : tensor<1024x1024xf32>) {
    ^bb0(%a: f32, %d: f32):
      linalg.yield %a : f32
    } -> tensor<1024x1024xf32>
    kernel.return %r : tensor<1024x1024xf32>
  }
}

// -----

// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: stage = 4096 : i64, run = 128 : i64, reason
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 262144 : i64, l3_bytes = 4194304 : i64}} {
  kernel.func @turned(%x: tensor<1030x1024xf32>, %o: tensor<1024x1030xf32>) -> tensor<1024x1030xf32> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<1024x1030xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<1030x1024xf32>) outs(%E : tensor<1024x1030xf32>) {
    ^bb0(%a: f32, %d: f32):
      linalg.yield %a : f32
    } -> tensor<1024x1030xf32>
    kernel.return %r : tensor<1024x1030xf32>
  }
}

// -----

// What is written of a row at once is two of the machine's cache lines.
// CHECK-LABEL: kernel.func @turned
// CHECK-SAME: stage = 4096 : i64, run = 256 : i64
module attributes {stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64, l2_bytes = 262144 : i64, line_bytes = 128 : i64}} {
  kernel.func @turned(%x: tensor<513x512xf32>, %o: tensor<512x513xf32>) -> tensor<512x513xf32> attributes {access = ["read", "write"]} {
    %E = tensor.empty() : tensor<512x513xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<513x512xf32>) outs(%E : tensor<512x513xf32>) {
    ^bb0(%a: f32, %d: f32):
      linalg.yield %a : f32
    } -> tensor<512x513xf32>
    kernel.return %r : tensor<512x513xf32>
  }
}

// -----

// Schedules that the module brings along come first: by name, by hash (here of a kernel that does not exist), or tuned; the tables are gone then.
// CHECK-LABEL: builtin.module attributes
// CHECK-NOT: stepwell.schedules
// CHECK-NOT: stepwell.tuned
// CHECK: kernel.func @given
// CHECK-SAME: schedule = #kernel.schedule<"loops", {vector = 32 : i64, tasks = 7 : i64}>
// CHECK: kernel.func @other
// CHECK-SAME: reason = "one parallel phase
module attributes {
    stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64},
    stepwell.schedules = {given = #kernel.schedule<"loops", {vector = 32 : i64, tasks = 7 : i64}>},
    stepwell.tuned = {"00" = #kernel.schedule<"loops", {vector = 32 : i64, tasks = 9 : i64}>}} {
  kernel.func @given(%x: tensor<65xf32>, %o: tensor<65xf32>) -> tensor<65xf32> attributes {access = ["read", "write"]} {
    kernel.return %x : tensor<65xf32>
  }
  kernel.func @other(%x: tensor<66xf32>, %o: tensor<66xf32>) -> tensor<66xf32> attributes {access = ["read", "write"]} {
    kernel.return %x : tensor<66xf32>
  }
}

// -----

// Four bytes of a word at once where the machine multiplies and adds them, else two halves.
// CHECK-LABEL: kernel.func @bytes
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {vector = 64 : i64, {{.*}}k_unroll = 8 : i64, {{.*}}word = 4 : i64
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, features = "+avx512vnni"}} {
  kernel.func @bytes(%A: tensor<30x64xi8>, %B: tensor<64x64xi8>, %o: tensor<30x64xi32>) -> tensor<30x64xi32> attributes {access = ["read", "read", "write"]} {
    %e = tensor.empty() : tensor<30x64xi32>
    %c = arith.constant 0 : i32
    %f = linalg.fill ins(%c : i32) outs(%e : tensor<30x64xi32>) -> tensor<30x64xi32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<30x64xi8>, tensor<64x64xi8>) outs(%f : tensor<30x64xi32>) {
    ^bb0(%a: i8, %b: i8, %d: i32):
      %x = arith.extsi %a : i8 to i32
      %y = arith.extsi %b : i8 to i32
      %p = arith.muli %x, %y : i32
      %s = arith.addi %d, %p : i32
      linalg.yield %s : i32
    } -> tensor<30x64xi32>
    kernel.return %r : tensor<30x64xi32>
  }
}

// -----

// CHECK-LABEL: kernel.func @halves
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {vector = 32 : i64, {{.*}}k_unroll = 4 : i64, {{.*}}word = 2 : i64
module attributes {stepwell.target = {level = "avx2", vector_bits = 256 : i64, cores = 2 : i64, features = "+fma"}} {
  kernel.func @halves(%A: tensor<30x64xi8>, %B: tensor<64x64xi8>, %o: tensor<30x64xi32>) -> tensor<30x64xi32> attributes {access = ["read", "read", "write"]} {
    %e = tensor.empty() : tensor<30x64xi32>
    %c = arith.constant 0 : i32
    %f = linalg.fill ins(%c : i32) outs(%e : tensor<30x64xi32>) -> tensor<30x64xi32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<30x64xi8>, tensor<64x64xi8>) outs(%f : tensor<30x64xi32>) {
    ^bb0(%a: i8, %b: i8, %d: i32):
      %x = arith.extsi %a : i8 to i32
      %y = arith.extsi %b : i8 to i32
      %p = arith.muli %x, %y : i32
      %s = arith.addi %d, %p : i32
      linalg.yield %s : i32
    } -> tensor<30x64xi32>
    kernel.return %r : tensor<30x64xi32>
  }
}

// -----

// A machine without either takes one term at a time.
// CHECK-LABEL: kernel.func @bytes_alone
// CHECK-SAME: schedule = #kernel.schedule<"contraction"
// CHECK-NOT: word =
module attributes {stepwell.target = {level = "neon", vector_bits = 128 : i64, cores = 2 : i64, features = "+neon"}} {
  kernel.func @bytes_alone(%A: tensor<30x64xi8>, %B: tensor<64x64xi8>, %o: tensor<30x64xi32>) -> tensor<30x64xi32> attributes {access = ["read", "read", "write"]} {
    %e = tensor.empty() : tensor<30x64xi32>
    %c = arith.constant 0 : i32
    %f = linalg.fill ins(%c : i32) outs(%e : tensor<30x64xi32>) -> tensor<30x64xi32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<30x64xi8>, tensor<64x64xi8>) outs(%f : tensor<30x64xi32>) {
    ^bb0(%a: i8, %b: i8, %d: i32):
      %x = arith.extsi %a : i8 to i32
      %y = arith.extsi %b : i8 to i32
      %p = arith.muli %x, %y : i32
      %s = arith.addi %d, %p : i32
      linalg.yield %s : i32
    } -> tensor<30x64xi32>
    kernel.return %r : tensor<30x64xi32>
  }
}

// -----

// Sums of few terms whose results leave the caches are written line by line; in tiles where a map of theirs is done on these, or
// they stay in a cache. Tiles of what leaves the caches have few lines.
// CHECK-LABEL: kernel.func @thin
// CHECK-SAME: schedule = #kernel.schedule<"loops", {{.*}}no register tiles: sums of few terms, whose results leave the caches, are written line by line
// CHECK-LABEL: kernel.func @thin_and_map
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {{.*}}mr = 4 : i64, nr = 64 : i64
// CHECK-LABEL: kernel.func @thin_and_small
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {{.*}}mr = 13 : i64, nr = 32 : i64
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}} {
  kernel.func @thin(%A: tensor<1000x4xf32>, %B: tensor<4x1000xf32>, %o: tensor<1000x1000xf32>) -> tensor<1000x1000xf32> attributes {access = ["read", "read", "write"]} {
    %e = tensor.empty() : tensor<1000x1000xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<1000x1000xf32>) -> tensor<1000x1000xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<1000x4xf32>, tensor<4x1000xf32>) outs(%f : tensor<1000x1000xf32>) {
    ^bb0(%a: f32, %b: f32, %d: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %d, %p : f32
      linalg.yield %s : f32
    } -> tensor<1000x1000xf32>
    kernel.return %r : tensor<1000x1000xf32>
  }
  kernel.func @thin_and_map(%A: tensor<1000x4xf32>, %B: tensor<4x1000xf32>, %o: tensor<1000x1000xf32>) -> tensor<1000x1000xf32> attributes {access = ["read", "read", "write"]} {
    %e = tensor.empty() : tensor<1000x1000xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<1000x1000xf32>) -> tensor<1000x1000xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<1000x4xf32>, tensor<4x1000xf32>) outs(%f : tensor<1000x1000xf32>) {
    ^bb0(%a: f32, %b: f32, %d: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %d, %p : f32
      linalg.yield %s : f32
    } -> tensor<1000x1000xf32>
    %m = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%r : tensor<1000x1000xf32>) outs(%e : tensor<1000x1000xf32>) {
    ^bb0(%a: f32, %b: f32):
      %y = math.absf %a : f32
      linalg.yield %y : f32
    } -> tensor<1000x1000xf32>
    kernel.return %m : tensor<1000x1000xf32>
  }
  kernel.func @thin_and_small(%A: tensor<100x4xf32>, %B: tensor<4x1000xf32>, %o: tensor<100x1000xf32>) -> tensor<100x1000xf32> attributes {access = ["read", "read", "write"]} {
    %e = tensor.empty() : tensor<100x1000xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<100x1000xf32>) -> tensor<100x1000xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<100x4xf32>, tensor<4x1000xf32>) outs(%f : tensor<100x1000xf32>) {
    ^bb0(%a: f32, %b: f32, %d: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %d, %p : f32
      linalg.yield %s : f32
    } -> tensor<100x1000xf32>
    kernel.return %r : tensor<100x1000xf32>
  }
}

// -----

// Tiles of six rows of an image read so little that it stays in the first cache; those of fourteen would not. Points two apart
// lie next to each other where the task that reads them copies the image, and are not packed again.
// CHECK-LABEL: kernel.func @channels_last
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {{{.*}}mr = 6 : i64, nr = 64 : i64, k_unroll = 2 : i64, pack_a = 0 : i64, {{.*}}border = 262144 : i64
// CHECK-LABEL: kernel.func @more_channels
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {{{.*}}mr = 14 : i64, nr = 32 : i64, k_unroll = 1 : i64, pack_a = 0 : i64, {{.*}}border = 262144 : i64
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l1_bytes = 32768 : i64, l2_bytes = 1048576 : i64}} {
  kernel.func @channels_last(%x: tensor<56x56x128xf32>, %w: tensor<3x3x128x128xf32>, %o: tensor<28x28x128xf32>) -> tensor<28x28x128xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<58x58x128xf32>
    %b = linalg.fill ins(%z : f32) outs(%e : tensor<58x58x128xf32>) -> tensor<58x58x128xf32>
    %i = tensor.insert_slice %x into %b[1, 1, 0] [56, 56, 128] [1, 1, 1] : tensor<56x56x128xf32> into tensor<58x58x128xf32>
    %f = linalg.fill ins(%z : f32) outs(%o : tensor<28x28x128xf32>) -> tensor<28x28x128xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(h, w, f, k, l, c) -> (h * 2 + k, w * 2 + l, c)>, affine_map<(h, w, f, k, l, c) -> (k, l, c, f)>, affine_map<(h, w, f, k, l, c) -> (h, w, f)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%i, %w : tensor<58x58x128xf32>, tensor<3x3x128x128xf32>) outs(%f : tensor<28x28x128xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %t = arith.addf %s, %m : f32
      linalg.yield %t : f32
    } -> tensor<28x28x128xf32>
    kernel.return %r : tensor<28x28x128xf32>
  }
  kernel.func @more_channels(%x: tensor<56x56x200xf32>, %w: tensor<3x3x200x128xf32>, %o: tensor<28x28x128xf32>) -> tensor<28x28x128xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<58x58x200xf32>
    %b = linalg.fill ins(%z : f32) outs(%e : tensor<58x58x200xf32>) -> tensor<58x58x200xf32>
    %i = tensor.insert_slice %x into %b[1, 1, 0] [56, 56, 200] [1, 1, 1] : tensor<56x56x200xf32> into tensor<58x58x200xf32>
    %f = linalg.fill ins(%z : f32) outs(%o : tensor<28x28x128xf32>) -> tensor<28x28x128xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(h, w, f, k, l, c) -> (h * 2 + k, w * 2 + l, c)>, affine_map<(h, w, f, k, l, c) -> (k, l, c, f)>, affine_map<(h, w, f, k, l, c) -> (h, w, f)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%i, %w : tensor<58x58x200xf32>, tensor<3x3x200x128xf32>) outs(%f : tensor<28x28x128xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %t = arith.addf %s, %m : f32
      linalg.yield %t : f32
    } -> tensor<28x28x128xf32>
    kernel.return %r : tensor<28x28x128xf32>
  }
}

// -----

// Lines of channels half a page apart, more than a core knows the places of: rows are packed. Fewer are read where they lie.
// CHECK-LABEL: kernel.func @many_lines
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {{{.*}}mr = 13 : i64, {{.*}}pack_a = 1 : i64
// CHECK-LABEL: kernel.func @few_lines
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {{{.*}}mr = 13 : i64, {{.*}}pack_a = 0 : i64
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l1_bytes = 32768 : i64, l2_bytes = 1048576 : i64}} {
  kernel.func @many_lines(%x: tensor<8x256x514xf32>, %w: tensor<256x256x3xf32>, %o: tensor<8x256x512xf32>) -> tensor<8x256x512xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0.0 : f32
    %f = linalg.fill ins(%z : f32) outs(%o : tensor<8x256x512xf32>) -> tensor<8x256x512xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(b, f, w, c, k) -> (b, c, w + k)>, affine_map<(b, f, w, c, k) -> (f, c, k)>, affine_map<(b, f, w, c, k) -> (b, f, w)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : tensor<8x256x514xf32>, tensor<256x256x3xf32>) outs(%f : tensor<8x256x512xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %t = arith.addf %s, %m : f32
      linalg.yield %t : f32
    } -> tensor<8x256x512xf32>
    kernel.return %r : tensor<8x256x512xf32>
  }
  kernel.func @few_lines(%x: tensor<8x64x514xf32>, %w: tensor<256x64x3xf32>, %o: tensor<8x256x512xf32>) -> tensor<8x256x512xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0.0 : f32
    %f = linalg.fill ins(%z : f32) outs(%o : tensor<8x256x512xf32>) -> tensor<8x256x512xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(b, f, w, c, k) -> (b, c, w + k)>, affine_map<(b, f, w, c, k) -> (f, c, k)>, affine_map<(b, f, w, c, k) -> (b, f, w)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : tensor<8x64x514xf32>, tensor<256x64x3xf32>) outs(%f : tensor<8x256x512xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %t = arith.addf %s, %m : f32
      linalg.yield %t : f32
    } -> tensor<8x256x512xf32>
    kernel.return %r : tensor<8x256x512xf32>
  }
}
