// RUN: stepwell-opt %s --split-input-file --plan-memory --verify-diagnostics

func.func @main(%x: memref<4xf32>, %w: memref<?x0xi8>) {
  return
}
// expected-error @+1 {{'func.func' op @f is not supported: it calls itself, so its temporaries have no fixed size}}
func.func private @f(%x: memref<4xf32>, %w: memref<?x0xi8>) {
  func.call @g(%x, %w) : (memref<4xf32>, memref<?x0xi8>) -> ()
  return
}
func.func private @g(%x: memref<4xf32>, %w: memref<?x0xi8>) {
  func.call @f(%x, %w) : (memref<4xf32>, memref<?x0xi8>) -> ()
  return
}

// -----

// expected-error @+1 {{'func.func' op @main cannot be transformed: 'plan-memory' needs buffers (step 5); its signature has tensor<4xf32>}}
func.func @main(%x: tensor<4xf32>) {
  return
}

// -----

// expected-error @+1 {{'plan-memory' needs the workers' memory (memref<?xNxi8>) as its last argument}}
func.func @main(%x: memref<4xf32>) {
  return
}

// -----

// expected-error @+1 {{'func.func' op @main cannot be transformed: its memory is already planned}}
func.func @main(%x: memref<4xf32>, %arena: memref<?xi8>, %w: memref<?x0xi8>) attributes {stepwell.memory = {}} {
  return
}
