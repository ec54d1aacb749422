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

// Register tiles by the machine: 6 x 16 on AVX2.
// CHECK-LABEL: kernel.func @matmul
// CHECK-SAME: schedule = #kernel.schedule<"contraction", {vector = 32 : i64, {{.*}}mr = 6 : i64, nr = 16 : i64
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
