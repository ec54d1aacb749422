// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @results(%x: tensor<8xf32>, %u: tensor<2xf32>, %i: tensor<i32>) -> tensor<2xf32> {
  // expected-error @+1 {{structured.update_slice: S2: results must have the types of the destinations (tensor<8xf32>), got (tensor<2xf32>)}}
  %r = structured.update_slice ins(%u, %i : tensor<2xf32>, tensor<i32>) outs(%x : tensor<8xf32>) -> tensor<2xf32>
  func.return %r : tensor<2xf32>
}

// -----

func.func @mixed(%x: memref<8xf32>, %u: tensor<2xf32>, %i: tensor<i32>) {
  // expected-error @+1 {{structured.update_slice: S1: operands must be all tensors or all memrefs}}
  structured.update_slice ins(%u, %i : tensor<2xf32>, tensor<i32>) outs(%x : memref<8xf32>)
  func.return
}

// -----

func.func @too_big(%x: tensor<8xf32>, %u: tensor<9xf32>, %i: tensor<i32>) -> tensor<8xf32> {
  // expected-error @+1 {{structured.update_slice: C1: the update must fit into the destination}}
  %r = structured.update_slice ins(%u, %i : tensor<9xf32>, tensor<i32>) outs(%x : tensor<8xf32>) -> tensor<8xf32>
  func.return %r : tensor<8xf32>
}

// -----

func.func @index_count(%x: tensor<8x8xf32>, %u: tensor<2x2xf32>, %i: tensor<i32>) -> tensor<8x8xf32> {
  // expected-error @+1 {{structured.update_slice: C2: needs 2 0-d integer indices of one type}}
  %r = structured.update_slice ins(%u, %i : tensor<2x2xf32>, tensor<i32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
  func.return %r : tensor<8x8xf32>
}

// -----

func.func @sort_dimension(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{structured.sort: C2: dimension 1 out of range for rank 1}}
  %r = structured.sort outs(%x : tensor<8xf32>) {dimension = 1 : i64} {
  ^bb0(%a: f32, %b: f32):
    %c = arith.cmpf olt, %a, %b : f32
    structured.yield %c : i1
  } -> tensor<8xf32>
  func.return %r : tensor<8xf32>
}

// -----

func.func @comparator(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{structured.sort: C3: the comparator must yield (i1)}}
  %r = structured.sort outs(%x : tensor<8xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    structured.yield %a : f32
  } -> tensor<8xf32>
  func.return %r : tensor<8xf32>
}

// -----

func.func @sort_shapes(%x: tensor<8xf32>, %y: tensor<9xf32>) -> (tensor<8xf32>, tensor<9xf32>) {
  // expected-error @+1 {{structured.sort: C1: all destinations must have one shape}}
  %r:2 = structured.sort outs(%x, %y : tensor<8xf32>, tensor<9xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32):
    %e = arith.cmpf olt, %a, %b : f32
    structured.yield %e : i1
  } -> (tensor<8xf32>, tensor<9xf32>)
  func.return %r#0, %r#1 : tensor<8xf32>, tensor<9xf32>
}

// -----

func.func @scatter_ranks(%i: tensor<3x1xi32>, %u: tensor<3x4xf32>, %x: tensor<9x4xf32>) -> tensor<9x4xf32> {
  // expected-error @+1 {{structured.scatter: C3: window, inserted and batching dims must add up to rank 2}}
  %r = structured.scatter ins(%i, %u : tensor<3x1xi32>, tensor<3x4xf32>) outs(%x : tensor<9x4xf32>) {
    update_window_dims = array<i64: 1>, inserted_window_dims = array<i64>, input_batching_dims = array<i64>,
    scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64
  } {
  ^bb0(%old: f32, %new: f32):
    structured.yield %new : f32
  } -> tensor<9x4xf32>
  func.return %r : tensor<9x4xf32>
}

// -----

func.func @windows(%x: tensor<4x4xf32>, %s: tensor<2x3xf32>, %i: tensor<f32>, %o: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{structured.select_and_scatter: C2: source must have shape [2, 2]}}
  %r = structured.select_and_scatter ins(%x, %s, %i : tensor<4x4xf32>, tensor<2x3xf32>, tensor<f32>) outs(%o : tensor<4x4xf32>) {
    window_dimensions = array<i64: 2, 2>, window_strides = array<i64: 2, 2>, padding_low = array<i64: 0, 0>,
    padding_high = array<i64: 0, 0>
  } {
  ^bb0(%a: f32, %b: f32):
    %c = arith.cmpf oge, %a, %b : f32
    structured.yield %c : i1
  }, {
  ^bb0(%a: f32, %b: f32):
    structured.yield %a : f32
  } -> tensor<4x4xf32>
  func.return %r : tensor<4x4xf32>
}

// -----

func.func @scan_without_inits(%x: memref<8xf32>) {
  // expected-error @+1 {{structured.scan: C1: needs one initial value and one destination per input}}
  structured.scan outs(%x : memref<8xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    structured.yield %a : f32
  }
  func.return
}

// -----

func.func @scan_inits(%x: memref<8x4xf32>, %i: memref<8xf32>) {
  // expected-error @+1 {{structured.scan: C2: inputs and destinations must have one shape, initial values [4] or none}}
  structured.scan ins(%x, %i : memref<8x4xf32>, memref<8xf32>) outs(%x : memref<8x4xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    structured.yield %a : f32
  }
  func.return
}

// -----

func.func @scan_dimension(%x: memref<8xf32>, %i: memref<f32>) {
  // expected-error @+1 {{structured.scan: C3: dimension 1 out of range for rank 1}}
  structured.scan ins(%x, %i : memref<8xf32>, memref<f32>) outs(%x : memref<8xf32>) {dimension = 1 : i64} {
  ^bb0(%a: f32, %b: f32):
    structured.yield %a : f32
  }
  func.return
}

// -----

func.func @scan_types(%x: memref<8xf32>, %i: memref<i32>) {
  // expected-error @+1 {{structured.scan: C4: initial values and destinations must have the inputs' types}}
  structured.scan ins(%x, %i : memref<8xf32>, memref<i32>) outs(%x : memref<8xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    structured.yield %a : f32
  }
  func.return
}

// -----

func.func @scan_region(%x: memref<8xf32>, %i: memref<f32>) {
  // expected-error @+1 {{structured.scan: C5: the region must take (f32, f32)}}
  structured.scan ins(%x, %i : memref<8xf32>, memref<f32>) outs(%x : memref<8xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32):
    structured.yield %a : f32
  }
  func.return
}
