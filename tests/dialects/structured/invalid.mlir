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

// -----

func.func @attention_sizes(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C1: sizes must be those of batch, query, key, depth and column}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, q, d)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_maps(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C1: needs 4 indexing maps over 5 dims}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_operand_dims(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C2: map (d0, d1, d2, d3, d4) -> (d0, d2, d4) does not fit operand 1 (tensor<2x9x4xf32>)}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_outside(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C2: index (d1 + 1) of operand 0 runs from 1 to 8, outside of tensor<2x8x4xf32>}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q + 1, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_result_order(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x5x8xf32> {
  %e = tensor.empty() : tensor<2x5x8xf32>
  // expected-error @+1 {{structured.attention: C3: map (d0, d1, d2, d3, d4) -> (d0, d4, d1) must permute batch, query and column, with column last}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x5x8xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, c, q)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x5x8xf32>
  func.return %o : tensor<2x5x8xf32>
}

// -----

func.func @attention_result_shape(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x6xf32> {
  %e = tensor.empty() : tensor<2x8x6xf32>
  // expected-error @+1 {{structured.attention: C3: the destination tensor<2x8x6xf32> must have the extents}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x6xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x6xf32>
  func.return %o : tensor<2x8x6xf32>
}

// -----

func.func @attention_scores(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C4: scores must be f32 or f64}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: bf16, %i: index, %j: index):
    structured.yield %s : bf16
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_region(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C4: the region must take (f32, index, index)}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_fill(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C5: causal needs a fill that is a score, and only then}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {causal = 0 : i64, sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_fill_type(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C5: causal needs a fill that is a score, and only then}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {causal = 0 : i64, fill = -1.0 : f64, sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_ops(%q: tensor<2x8x4xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C4: the region has tensor.empty: only arith and math ops may be}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    %t = tensor.empty() : tensor<f32>
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @attention_wide(%q: tensor<2x8x4xf64>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x5xf32>) -> tensor<2x8x5xf32> {
  %e = tensor.empty() : tensor<2x8x5xf32>
  // expected-error @+1 {{structured.attention: C6: elements of f64 are not floats as narrow as f32}}
  %o = structured.attention ins(%q, %k, %v : tensor<2x8x4xf64>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) outs(%e : tensor<2x8x5xf32>) {sizes = array<i64: 2, 8, 9, 4, 5>, indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x8x5xf32>
  func.return %o : tensor<2x8x5xf32>
}

// -----

func.func @sort_keys(%x: memref<8xf32>, %s: memref<8xf32>, %k: memref<2x4xf32>) {
  // expected-error @+1 {{structured.sort: C4: scratch behind the lines must be buffers of integers}}
  structured.sort outs(%x : memref<8xf32>) scratch(%s, %k : memref<8xf32>, memref<2x4xf32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    %c = arith.cmpf olt, %a, %b : f32
    structured.yield %c : i1
  }
  func.return
}

// -----

func.func @top_k_of_complex(%x: tensor<9xcomplex<f32>>, %v: tensor<2xcomplex<f32>>, %p: tensor<2xi32>) {
  // expected-error @+1 {{structured.top_k: C1: needs lines of floats or integers, and two destinations}}
  %a, %b = structured.top_k ins(%x : tensor<9xcomplex<f32>>) outs(%v, %p : tensor<2xcomplex<f32>>, tensor<2xi32>) -> (tensor<2xcomplex<f32>>, tensor<2xi32>)
  func.return
}

// -----

func.func @top_k_types(%x: tensor<9xf32>, %v: tensor<2xf64>, %p: tensor<2xi32>) {
  // expected-error @+1 {{structured.top_k: C1: destinations must be of f32 and of an integer type}}
  %a, %b = structured.top_k ins(%x : tensor<9xf32>) outs(%v, %p : tensor<2xf64>, tensor<2xi32>) -> (tensor<2xf64>, tensor<2xi32>)
  func.return
}

// -----

func.func @top_k_shapes(%x: tensor<3x9xf32>, %v: tensor<3x10xf32>, %p: tensor<3x10xi32>) {
  // expected-error @+1 {{structured.top_k: C2: destinations must have the shape [3, 'k'], 1 <= k <= 9}}
  %a, %b = structured.top_k ins(%x : tensor<3x9xf32>) outs(%v, %p : tensor<3x10xf32>, tensor<3x10xi32>) -> (tensor<3x10xf32>, tensor<3x10xi32>)
  func.return
}

// -----

func.func @top_k_scratch(%x: memref<9xf32>, %v: memref<2xf32>, %p: memref<2xi32>, %s: memref<64xi64>) {
  // expected-error @+1 {{structured.top_k: C3: scratch must be three buffers of integers}}
  structured.top_k ins(%x : memref<9xf32>) outs(%v, %p : memref<2xf32>, memref<2xi32>) scratch(%s : memref<64xi64>)
  func.return
}

// -----

func.func @element(%x: tensor<8xf32>, %y: tensor<8xf32>, %i: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x, %y : tensor<8xf32>, tensor<8xf32>) outs(%i : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    // expected-error @+1 {{structured.element: C2: the accumulator must be one of the body that the op is in}}
    %e = structured.element %a into %b : f32
    linalg.yield %e : f32
  } -> tensor<f32>
  func.return %r : tensor<f32>
}

// -----

func.func @winograd_tile(%x: tensor<3x3x8x5xf32>, %e: tensor<25x8x5xf32>) {
  // expected-error @+1 {{structured.winograd_filter: C1: tile must be one of 2, 4, not 3}}
  %r = structured.winograd_filter ins(%x : tensor<3x3x8x5xf32>) outs(%e : tensor<25x8x5xf32>) {tile = 3 : i64} -> tensor<25x8x5xf32>
  func.return
}

// -----

func.func @winograd_types(%x: tensor<3x3x8x5xf16>, %e: tensor<16x8x5xf16>) {
  // expected-error @+1 {{structured.winograd_filter: C2: needs elements of one type, f32 or f64, not f16 and f16}}
  %r = structured.winograd_filter ins(%x : tensor<3x3x8x5xf16>) outs(%e : tensor<16x8x5xf16>) {tile = 2 : i64} -> tensor<16x8x5xf16>
  func.return
}

// -----

func.func @winograd_empty(%x: tensor<3x3x0x5xf32>, %e: tensor<16x0x5xf32>) {
  // expected-error @+1 {{structured.winograd_filter: C2: every extent must be known and at least 1}}
  %r = structured.winograd_filter ins(%x : tensor<3x3x0x5xf32>) outs(%e : tensor<16x0x5xf32>) {tile = 2 : i64} -> tensor<16x0x5xf32>
  func.return
}

// -----

func.func @winograd_taps(%x: tensor<3x5x8x5xf32>, %e: tensor<16x8x5xf32>) {
  // expected-error @+1 {{structured.winograd_filter: C3: the input must have the shape [3, 3, 8, 5], not [3, 5, 8, 5]}}
  %r = structured.winograd_filter ins(%x : tensor<3x5x8x5xf32>) outs(%e : tensor<16x8x5xf32>) {tile = 2 : i64} -> tensor<16x8x5xf32>
  func.return
}

// -----

func.func @winograd_products(%x: tensor<3x3x8x5xf32>, %e: tensor<36x8x5xf32>) {
  // expected-error @+1 {{structured.winograd_filter: C3: the destination must have the shape [16, 8, 5], not [36, 8, 5]}}
  %r = structured.winograd_filter ins(%x : tensor<3x3x8x5xf32>) outs(%e : tensor<36x8x5xf32>) {tile = 2 : i64} -> tensor<36x8x5xf32>
  func.return
}

// -----

func.func @winograd_image(%x: tensor<7x7x8xf32>, %e: tensor<16x16x8xf32>) {
  // expected-error @+1 {{structured.winograd_input: C3: the input must have 4 dims, not 3}}
  %r = structured.winograd_input ins(%x : tensor<7x7x8xf32>) outs(%e : tensor<16x16x8xf32>) {tile = 2 : i64, tiles = array<i64: 4, 4>, low = array<i64: 1, 1>} -> tensor<16x16x8xf32>
  func.return
}

// -----

func.func @winograd_points(%x: tensor<1x7x7x8xf32>, %e: tensor<16x15x8xf32>) {
  // expected-error @+1 {{structured.winograd_input: C3: the destination must have the shape [16, 16, 8], not [16, 15, 8]}}
  %r = structured.winograd_input ins(%x : tensor<1x7x7x8xf32>) outs(%e : tensor<16x15x8xf32>) {tile = 2 : i64, tiles = array<i64: 4, 4>, low = array<i64: 1, 1>} -> tensor<16x15x8xf32>
  func.return
}

// -----

func.func @winograd_low(%x: tensor<1x7x7x8xf32>, %e: tensor<16x16x8xf32>) {
  // expected-error @+1 {{structured.winograd_input: C4: tiles must be two positive numbers and low two that are not negative, not [4, 4] and [1, -1]}}
  %r = structured.winograd_input ins(%x : tensor<1x7x7x8xf32>) outs(%e : tensor<16x16x8xf32>) {tile = 2 : i64, tiles = array<i64: 4, 4>, low = array<i64: 1, -1>} -> tensor<16x16x8xf32>
  func.return
}

// -----

func.func @winograd_result(%x: tensor<36x4x5xf32>, %e: tensor<1x7x9x5xf32>) {
  // expected-error @+1 {{structured.winograd_output: C3: the input must have the shape [36, 6, 5], not [36, 4, 5]}}
  %r = structured.winograd_output ins(%x : tensor<36x4x5xf32>) outs(%e : tensor<1x7x9x5xf32>) {tile = 4 : i64} -> tensor<1x7x9x5xf32>
  func.return
}

// -----

func.func @host_call_types(%x: tensor<4xi32>, %e: tensor<4xf32>) {
  // expected-error @+1 {{structured.host_call: C1: needs a static type of each input's and destination's shape}}
  %r = structured.host_call ins(%x : tensor<4xi32>) outs(%e : tensor<4xf32>) {target = "table", types = [tensor<4xui32>]} -> tensor<4xf32>
  func.return
}

// -----

func.func @host_call_sizes(%x: tensor<?xi32>, %e: tensor<4xf32>) {
  // expected-error @+1 {{structured.host_call: C1: needs a static type of each input's and destination's shape}}
  %r = structured.host_call ins(%x : tensor<?xi32>) outs(%e : tensor<4xf32>) {target = "table", types = [tensor<?xi32>, tensor<4xf32>]} -> tensor<4xf32>
  func.return
}

// -----

func.func @gradient_sizes(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C1: sizes must be those of batch, query, key, depth and column}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_maps(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C1: needs 7 indexing maps over 6 dims}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_operand_dims(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C2: map (d0, d1, d2, d3, d4, d5) -> (d0, d1, d3, d5) does not fit operand 3 (tensor<2x3x8x5xf32>)}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_outside(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C2: index (d2 + 1) of operand 0 runs from 1 to 8, outside of tensor<2x3x8x4xf32>}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q + 1, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_destination_shape(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x6xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x6xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C3: map (d0, d1, d2, d3, d4, d5) -> (d0, d3, d5) does not fit the destination tensor<2x9x6xf32>}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x6xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x6xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x6xf32>
}

// -----

func.func @gradient_destination_order(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C3: destinations must be over batch, query and depth, over batch, key and depth, and over batch, key and column, the last two over the same batch dims, each with the last one of these last}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_scores(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C4: scores must be f32 or f64}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: bf16, %i: index, %j: index):
    structured.yield %s : bf16
  }, {
  ^bb0(%t: bf16, %s: bf16, %i: index, %j: index):
    structured.yield %t : bf16
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_score_region(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C4: the score region must take (f32, index, index)}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_slope_region(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C4: the second region must take (f32, f32, index, index)}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_ops(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C4: the region has tensor.empty: only arith and math ops may be}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    %e = tensor.empty() : tensor<f32>
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_fill(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C5: causal needs a fill that is a score, and only then}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {causal = 0 : i64, sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}

// -----

func.func @gradient_wide(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf64>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  // expected-error @+1 {{structured.attention_gradient: C6: elements of f64 are not floats as narrow as f32}}
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf64>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}
