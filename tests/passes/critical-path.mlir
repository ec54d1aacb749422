// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(critical-path)' 2> %t.remarks | filecheck %s
// RUN: filecheck %s --input-file=%t.remarks --check-prefix=REMARK

// Little work stays on the thread that calls; of a schedule nothing else changes. It is in time, so nothing is said.
// CHECK-LABEL: func.func @main
// CHECK-SAME: stepwell.latency_target_ns = 100000
// CHECK: kernel.func @few
// CHECK-SAME: #kernel.schedule<"loops", {vector = 64 : i64, tasks = 8 : i64, parallel = 0 : i64}>
// REMARK-NOT: {{few|@main}}
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 4 : i64}>} {
  func.func @main(%x: tensor<1000xf32>) -> tensor<1000xf32> attributes {stepwell.latency_target_ns = 100000 : i64} {
    %d = tensor.empty() : tensor<1000xf32>
    %r = kernel.launch @few ins(%x : tensor<1000xf32>) outs(%d : tensor<1000xf32>) -> tensor<1000xf32>
    return %r : tensor<1000xf32>
  }
  kernel.func @few(%x: tensor<1000xf32>, %out: tensor<1000xf32>) -> tensor<1000xf32>
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 8 : i64}>} {
    %e = tensor.empty() : tensor<1000xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<1000xf32>) outs(%e : tensor<1000xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = arith.addf %a, %a : f32
      linalg.yield %t : f32
    } -> tensor<1000xf32>
    kernel.return %r : tensor<1000xf32>
  }
}

// -----

// Work of more than a hundred microseconds is shared as before: 4 MB at 10 bytes a nanosecond, twice, by four cores: too long.
// What says `parallel` itself is obeyed, and a kernel of one task needs no word.
// REMARK: remark: 'func.func' op @large takes {{2[0-9]+}} ns at least by estimate, above its target of 5 ns
// REMARK: note: @much takes {{[0-9]+}} ns in 2 launches
// REMARK-NEXT: note: @alone takes 2 ns
// CHECK-LABEL: func.func @large
// CHECK: kernel.func @much
// CHECK-SAME: {vector = 64 : i64, tasks = 8 : i64}>
// CHECK: kernel.func @alone
// CHECK-SAME: {vector = 64 : i64, tasks = 1 : i64}>
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 4 : i64}>} {
  func.func @large(%x: tensor<524288xf32>, %y: tensor<4xf32>) -> (tensor<524288xf32>, tensor<4xf32>)
      attributes {stepwell.latency_target_ns = 5 : i64} {
    %d = tensor.empty() : tensor<524288xf32>
    %r = kernel.launch @much ins(%x : tensor<524288xf32>) outs(%d : tensor<524288xf32>) -> tensor<524288xf32>
    %e = tensor.empty() : tensor<524288xf32>
    %s = kernel.launch @much ins(%r : tensor<524288xf32>) outs(%e : tensor<524288xf32>) -> tensor<524288xf32>
    %f = tensor.empty() : tensor<4xf32>
    %t = kernel.launch @alone ins(%y : tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
    return %s, %t : tensor<524288xf32>, tensor<4xf32>
  }
  kernel.func @much(%x: tensor<524288xf32>, %out: tensor<524288xf32>) -> tensor<524288xf32>
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 8 : i64}>} {
    %e = tensor.empty() : tensor<524288xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<524288xf32>) outs(%e : tensor<524288xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = arith.addf %a, %a : f32
      linalg.yield %t : f32
    } -> tensor<524288xf32>
    kernel.return %r : tensor<524288xf32>
  }
  kernel.func @alone(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 1 : i64}>} {
    %e = tensor.empty() : tensor<4xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %t = arith.addf %a, %a : f32
      linalg.yield %t : f32
    } -> tensor<4xf32>
    kernel.return %r : tensor<4xf32>
  }
}

// -----

// A schedule that says `parallel` is obeyed; one that a loop repeats, nobody knows how often, stays shared, and counts once at least.
// Of two arms the longer one counts. A function without a target is left alone.
// REMARK: remark: 'func.func' op @loops takes {{[0-9]+}} ns at least by estimate, with loops of unknown length counted once, above its target of 1 ns
// CHECK-LABEL: func.func @loops
// CHECK: kernel.func @said
// CHECK-SAME: parallel = 1 : i64}>
// CHECK: kernel.func @repeated
// CHECK-SAME: tasks = 8 : i64}>
// CHECK: kernel.func @other
// CHECK-SAME: tasks = 8 : i64}>
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 4 : i64}>} {
  func.func @loops(%x: tensor<8xf32>, %c: i1, %n: index) -> tensor<8xf32> attributes {stepwell.latency_target_ns = 1 : i64} {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %d = tensor.empty() : tensor<8xf32>
    %a = scf.for %i = %zero to %n step %one iter_args(%s = %x) -> (tensor<8xf32>) {
      %r = kernel.launch @repeated ins(%s : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
      scf.yield %r : tensor<8xf32>
    }
    %b = scf.if %c -> (tensor<8xf32>) {
      %r = kernel.launch @said ins(%a : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
      scf.yield %r : tensor<8xf32>
    } else {
      scf.yield %a : tensor<8xf32>
    }
    return %b : tensor<8xf32>
  }
  func.func @plain(%x: tensor<8xf32>) -> tensor<8xf32> {
    %d = tensor.empty() : tensor<8xf32>
    %r = kernel.launch @other ins(%x : tensor<8xf32>) outs(%d : tensor<8xf32>) -> tensor<8xf32>
    return %r : tensor<8xf32>
  }
  kernel.func @said(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tasks = 8 : i64, parallel = 1 : i64}>} {
    kernel.return %out : tensor<8xf32>
  }
  kernel.func @repeated(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tasks = 8 : i64}>} {
    kernel.return %out : tensor<8xf32>
  }
  kernel.func @other(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
      attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tasks = 8 : i64}>} {
    kernel.return %out : tensor<8xf32>
  }
}
