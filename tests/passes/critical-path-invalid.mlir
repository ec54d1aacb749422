// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(critical-path)'
// RUN: not stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(critical-path{allow-unsafe=true})' 2>&1 | filecheck %s --check-prefix=ENTRY
// RUN: not stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(critical-path{target-latency-ns=4})' 2>&1 | filecheck %s --check-prefix=ENTRY
// RUN: not stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(critical-path{target-latency-ns=-4})' 2>&1 | filecheck %s --check-prefix=NEGATIVE

// ENTRY: 'critical-path' has no function to mark
// ENTRY: hint: run prepare-entry first
// NEGATIVE: 'critical-path' was asked for -4 nanoseconds

// expected-error @+1 {{has a stepwell.latency_target_ns that is no number of nanoseconds: 0 : i64}}
func.func @zero() attributes {stepwell.latency_target_ns = 0 : i64} {
  return
}

// -----

// expected-error @+1 {{has a stepwell.latency_target_ns that is no number of nanoseconds: "fast"}}
func.func @text() attributes {stepwell.latency_target_ns = "fast"} {
  return
}

// -----

// expected-error @+1 {{has a stepwell.unchecked_indices that is no unit attribute: false}}
func.func @false() attributes {stepwell.unchecked_indices = false} {
  return
}

// -----

// Guards are there to find what this leaves unchecked.
module attributes {stepwell.guard = {mode = "end", page = 4096 : i64}} {
  // expected-error @+1 {{has stepwell.unchecked_indices, and its memory is guarded to find accesses out of bounds}}
  func.func @guarded() attributes {stepwell.unchecked_indices} {
    return
  }
}

// -----

module attributes {stepwell.target = #stepwell.target<{level = "sm_90", vector_bits = 512 : i64, cores = 4 : i64, subgroup = 32 : i64}>} {
  // expected-error @+1 {{its stepwell.unchecked_indices is for CPUs}}
  func.func @promised() attributes {stepwell.unchecked_indices} {
    return
  }
}

// -----

// expected-error @+1 {{'critical-path' needs tensors (step 3)}}
func.func @buffers(%x: memref<4xf32>) attributes {stepwell.latency_target_ns = 5 : i64} {
  return
}

// -----

module attributes {stepwell.target = #stepwell.target<{level = "sm_90", vector_bits = 512 : i64, cores = 4 : i64, subgroup = 32 : i64}>} {
  // expected-error @+1 {{its stepwell.latency_target_ns is for CPUs}}
  func.func @lanes() attributes {stepwell.latency_target_ns = 5 : i64} {
    return
  }
}

// -----

func.func @main() attributes {stepwell.latency_target_ns = 5 : i64} {
  return
}
// expected-error @+1 {{has no schedule, which 'critical-path' needs}}
kernel.func @unscheduled(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"]} {
  kernel.return %out : tensor<4xf32>
}

// -----

func.func @main() attributes {stepwell.latency_target_ns = 5 : i64} {
  return
}
// expected-error @+1 {{is carried out already: 'critical-path' needs kernels of step 3}}
kernel.func @tiled(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tasks = 1 : i64}>} {
  %r = scf.forall (%i) in (1) shared_outs(%o = %out) -> (tensor<4xf32>) {
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %x into %o[0] [4] [1] : tensor<4xf32> into tensor<4xf32>
    }
  }
  kernel.return %r : tensor<4xf32>
}
