// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(verify-critical-path)'

// What a marked function reaches, and only that.
func.func @main(%x: memref<4xf32>) attributes {stepwell.latency_target_ns = 5 : i64} {
  %s = memref.alloca() : memref<4xf32>
  func.call @second(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @second(%x: memref<4xf32>) {
  // expected-error @+1 {{manages memory at run time, which a function with a stepwell.latency_target_ns may not}}
  %d = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func @main(%x: memref<4xf32>) attributes {stepwell.latency_target_ns = 5 : i64} {
  return
}
func.func @unmarked(%x: memref<4xf32>) {
  %d = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func @main(%x: memref<4xf32>) attributes {stepwell.latency_target_ns = 5 : i64} {
  // expected-error @+1 {{calls @elsewhere, of which nobody here knows what it does}}
  func.call @elsewhere(%x) : (memref<4xf32>) -> ()
  return
}
func.func private @elsewhere(memref<4xf32>)

// -----

func.func @main(%x: memref<4xf32>, %y: memref<4xf32>) attributes {stepwell.latency_target_ns = 5 : i64} {
  kernel.launch @asks ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  return
}
kernel.func @asks(%x: memref<4xf32>, %out: memref<4xf32>) attributes {access = ["read", "write"]} {
  // expected-error @+1 {{it calls Python, which allocates, and may wait for other threads}}
  structured.host_call ins(%x : memref<4xf32>) outs(%out : memref<4xf32>) {target = "table", types = [tensor<4xf32>, tensor<4xf32>]}
  kernel.return
}

// -----

// expected-error @+1 {{'verify-critical-path' needs buffers (step 5)}}
func.func @tensors(%x: tensor<4xf32>) attributes {stepwell.latency_target_ns = 5 : i64} {
  return
}
