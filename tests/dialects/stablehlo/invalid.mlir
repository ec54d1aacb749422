// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.exponential: I1: operand has element type i32, expected float or complex}}
  %r = stablehlo.exponential %i : tensor<4xi32>
  func.return
}

// -----

func.func @f(%c: tensor<4xcomplex<f32>>) {
  // expected-error @+1 {{stablehlo.abs: C2: result has type tensor<4xcomplex<f32>>, expected tensor<4xf32>}}
  %r = stablehlo.abs %c : tensor<4xcomplex<f32>>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.tanh: C1: result has type tensor<4x9xf64>, expected tensor<4x9xf32>}}
  %r = stablehlo.tanh %x : (tensor<4x9xf32>) -> tensor<4x9xf64>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.convert: C1: cannot convert tensor<4xi32> to tensor<5xf32>: the shapes differ}}
  %r = stablehlo.convert %i : (tensor<4xi32>) -> tensor<5xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.is_finite: C1: y has type tensor<4xi1>, expected tensor<4x9xi1>}}
  %r = stablehlo.is_finite %x : (tensor<4x9xf32>) -> tensor<4xi1>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.and: I1: lhs has element type f32, expected boolean or signed integer or unsigned integer}}
  %r = stablehlo.and %x, %x : tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>, %u: tensor<4xui32>) {
  // expected-error @+1 {{stablehlo.add: C1: rhs has type tensor<4xui32>, expected tensor<4xi32>}}
  %r = stablehlo.add %i, %u : (tensor<4xi32>, tensor<4xui32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.add: C1: result has type tensor<3xi32>, expected tensor<4xi32>}}
  %r = stablehlo.add %i, %i : (tensor<4xi32>, tensor<4xi32>) -> tensor<3xi32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.complex: I1: lhs has element type i32, expected f32 or f64}}
  %r = stablehlo.complex %n, %n : (tensor<i32>, tensor<i32>) -> tensor<complex<f32>>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>, %u: tensor<4xui32>) {
  // expected-error @+1 {{stablehlo.compare: C1: rhs has type tensor<4xui32>, expected element type i32}}
  %r = stablehlo.compare EQ, %i, %u : (tensor<4xi32>, tensor<4xui32>) -> tensor<4xi1>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.compare: C2: result has type tensor<3xi1>, expected tensor<4xi1>}}
  %r = stablehlo.compare EQ, %i, %i : (tensor<4xi32>, tensor<4xi32>) -> tensor<3xi1>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.compare: C3: compare_type FLOAT does not fit signed integers}}
  %r = stablehlo.compare EQ, %i, %i, FLOAT : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.select: I1: pred has element type i32, expected boolean}}
  %r = stablehlo.select %i, %i, %i : tensor<4xi32>, tensor<4xi32>
  func.return
}

// -----

func.func @f(%b: tensor<4xi1>, %x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.select: C1: pred has type tensor<4xi1>, on_true tensor<4x9xf32>}}
  %r = stablehlo.select %b, %x, %x : tensor<4xi1>, tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%p: tensor<i1>, %i: tensor<4xi32>, %u: tensor<4xui32>) {
  // expected-error @+1 {{stablehlo.select: C2: on_false has type tensor<4xui32>, expected tensor<4xi32>}}
  %r = stablehlo.select %p, %i, %u : (tensor<i1>, tensor<4xi32>, tensor<4xui32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%m: tensor<3x3xf32>, %x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.clamp: C1: min has type tensor<3x3xf32>, operand tensor<4x9xf32>}}
  %r = stablehlo.clamp %m, %x, %s : (tensor<3x3xf32>, tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>, %x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.clamp: C3: min has type tensor<i32>, expected element type f32}}
  %r = stablehlo.clamp %n, %x, %s : (tensor<i32>, tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.reduce_precision: C2: exponent_bits = 0 must be at least 1}}
  %r = stablehlo.reduce_precision %x, format = e0m3 : tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.map: C3: dimensions = (0,) must be all, in order}}
  %r = "stablehlo.map"(%x) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{stablehlo.constant: C1: value has type tensor<2xi32>, output tensor<3xi32>}}
  %r = "stablehlo.constant"() <{value = dense<1> : tensor<2xi32>}> : () -> tensor<3xi32>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{stablehlo.iota: C1: dim = 2 must lie in [0, 2)}}
  %r = stablehlo.iota dim = 2 : tensor<4x5xi32>
  func.return
}

// -----

func.func @f(%s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.broadcast_in_dim: C1: operand has type tensor<f32>, result tensor<4xi32>}}
  %r = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<f32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.broadcast_in_dim: C2: 0 dims for an operand of rank 1}}
  %r = stablehlo.broadcast_in_dim %i, dims = [] : (tensor<4xi32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.broadcast_in_dim: C3: dims = [1] must lie in [0, 1)}}
  %r = stablehlo.broadcast_in_dim %i, dims = [1] : (tensor<4xi32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.broadcast_in_dim: C4: dims = [1, 1] must not repeat a dimension}}
  %r = stablehlo.broadcast_in_dim %x, dims = [1, 1] : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.broadcast_in_dim: C5: operand dim 0 has extent 4, result dim 0 has 8: not 1 and not equal}}
  %r = stablehlo.broadcast_in_dim %i, dims = [0] : (tensor<4xi32>) -> tensor<8xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.reshape: C2: operand has 4 elements, result has 5}}
  %r = stablehlo.reshape %i : (tensor<4xi32>) -> tensor<5xi32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.transpose: C2: dims = [0, 0] is not a permutation of [0, 1]}}
  %r = stablehlo.transpose %x, dims = [0, 0] : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.transpose: C3: result has type tensor<4x9xf32>, expected shape [9, 4]}}
  %r = stablehlo.transpose %x, dims = [1, 0] : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.reverse: C2: dims = [1, 1] must not repeat a dimension}}
  %r = stablehlo.reverse %x, dims = [1, 1] : tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.reverse: C3: dims = [2] must lie in [0, 2)}}
  %r = stablehlo.reverse %x, dims = [2] : tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.slice: C2: (1, 1, 1) indices for an operand of rank 2}}
  %r = stablehlo.slice %x [0:4] : (tensor<4x9xf32>) -> tensor<4xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.slice: C3: dim 0: need 0 <= start <= limit <= 4, got start 1, limit 5}}
  %r = stablehlo.slice %i [1:5] : (tensor<4xi32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.slice: C4: dim 0: stride 0 must be positive}}
  %r = stablehlo.slice %i [1:4:0] : (tensor<4xi32>) -> tensor<3xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.slice: C5: result has type tensor<4xi32>, expected tensor<2xi32>}}
  %r = stablehlo.slice %i [0:4:3] : (tensor<4xi32>) -> tensor<4xi32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.pad: C1: padding_value has type tensor<i32>, expected element type f32}}
  %r = stablehlo.pad %x, %n, low = [0, 0], high = [0, 0], interior = [0, 0] : (tensor<4x9xf32>, tensor<i32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.pad: C2: (1, 2, 2) paddings for an operand of rank 2}}
  %r = stablehlo.pad %x, %s, low = [0], high = [0, 0], interior = [0, 0] : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.pad: C3: dim 1: interior padding -1 must not be negative}}
  %r = stablehlo.pad %x, %s, low = [0, 0], high = [0, 0], interior = [0, -1] : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.pad: C4: dim 0: padded extent -1 is negative}}
  %r = stablehlo.pad %x, %s, low = [-5, 0], high = [0, 0], interior = [0, 0] : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>, %u: tensor<4xui32>) {
  // expected-error @+1 {{stablehlo.concatenate: C1: inputs of types tensor<4xi32> and tensor<4xui32>}}
  %r = stablehlo.concatenate %i, %u, dim = 0 : (tensor<4xi32>, tensor<4xui32>) -> tensor<8xi32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %m: tensor<3x3xf32>) {
  // expected-error @+1 {{stablehlo.concatenate: C2: input 1 has shape [3, 3], input 0 [4, 9]: may differ in dim 0 only}}
  %r = stablehlo.concatenate %x, %m, dim = 0 : (tensor<4x9xf32>, tensor<3x3xf32>) -> tensor<7x9xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.concatenate: C4: dim = 1 must lie in [0, 1)}}
  %r = stablehlo.concatenate %i, %i, dim = 1 : (tensor<4xi32>, tensor<4xi32>) -> tensor<8xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.concatenate: C6: result has type tensor<9xi32>, expected tensor<8xi32>}}
  %r = stablehlo.concatenate %i, %i, dim = 0 : (tensor<4xi32>, tensor<4xi32>) -> tensor<9xi32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.dynamic_slice: C2: 1 start indices and 1 sizes for an operand of rank 2}}
  %r = stablehlo.dynamic_slice %x, %n, sizes = [1] : (tensor<4x9xf32>, tensor<i32>) -> tensor<1xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.dynamic_slice: C4: dim 0: slice size 5 must lie in [0, 4]}}
  %r = stablehlo.dynamic_slice %i, %n, sizes = [5] : (tensor<4xi32>, tensor<i32>) -> tensor<5xi32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.dynamic_slice: I2: start index of type tensor<4xi32> is not a scalar}}
  %r = stablehlo.dynamic_slice %i, %i, sizes = [1] : (tensor<4xi32>, tensor<4xi32>) -> tensor<1xi32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %i: tensor<4xi32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.dynamic_update_slice: C3: update has rank 1, operand 2}}
  %r = stablehlo.dynamic_update_slice %x, %i, %n, %n : (tensor<4x9xf32>, tensor<4xi32>, tensor<i32>, tensor<i32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%m: tensor<3x3xf32>, %x: tensor<4x9xf32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.dynamic_update_slice: C6: dim 0: update extent 4 is larger than the operand's 3}}
  %r = stablehlo.dynamic_update_slice %m, %x, %n, %n : (tensor<3x3xf32>, tensor<4x9xf32>, tensor<i32>, tensor<i32>) -> tensor<3x3xf32>
  func.return
}

// -----

func.func @f(%i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.bitcast_convert: C1: cannot reinterpret tensor<4xi32> as tensor<4x2xi8>: the shapes do not fit}}
  %r = stablehlo.bitcast_convert %i : (tensor<4xi32>) -> tensor<4x2xi8>
  func.return
}

// -----

func.func @f(%c: tensor<4xcomplex<f32>>) {
  // expected-error @+1 {{stablehlo.bitcast_convert: C2: cannot reinterpret tensor<4xcomplex<f32>> as tensor<4xf64>}}
  %r = stablehlo.bitcast_convert %c : (tensor<4xcomplex<f32>>) -> tensor<4xf64>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C1: operand has rank 2, offset, collapsed and batching dims are 1}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C2: index_vector_dim = 3 must lie in [0, 2]}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 3>, slice_sizes = array<i64: 1, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C3: start_index_map has 2 entries, an index vector has 1}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0, 1], index_vector_dim = 1>, slice_sizes = array<i64: 1, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C5: offset_dims = [5] must lie in [0, 2)}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [5], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C8: collapsed_slice_dims = [2] must lie in [0, 2)}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [2], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C9: slice sizes of dims [0] must be at most 1}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 2, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C21: dim 1: slice size 10 must lie in [0, 9]}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 10>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C20: 1 slice sizes for an operand of rank 2}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>) {
  // expected-error @+1 {{stablehlo.gather: C22: result has type tensor<2x8xf32>, expected tensor<2x9xf32>}}
  %r = "stablehlo.gather"(%x, %q) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 9>}> : (tensor<4x9xf32>, tensor<2x1xi32>) -> tensor<2x8xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>, %w: tensor<2x9xf32>) {
  // expected-error @+1 {{stablehlo.scatter: C2: input has rank 2, window, inserted and batching dims are 3}}
  %r = "stablehlo.scatter"(%x, %q, %w) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [0, 1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<2x1xi32>, tensor<2x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>, %w: tensor<3x9xf32>) {
  // expected-error @+1 {{stablehlo.scatter: C4: updates dim 0 has extent 3, the indices say 2}}
  %r = "stablehlo.scatter"(%x, %q, %w) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<2x1xi32>, tensor<3x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>, %w: tensor<2x10xf32>) {
  // expected-error @+1 {{stablehlo.scatter: C4: updates dim 1 has extent 10, larger than the input's 9}}
  %r = "stablehlo.scatter"(%x, %q, %w) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<2x1xi32>, tensor<2x10xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>, %w: tensor<2x9xf64>) {
  // expected-error @+1 {{stablehlo.scatter: C6: updates has type tensor<2x9xf64>, expected element type f32}}
  %r = "stablehlo.scatter"(%x, %q, %w) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<2x1xi32>, tensor<2x9xf64>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>, %w: tensor<2x9xf32>) {
  // expected-error @+1 {{stablehlo.scatter: C24: result has type tensor<4x8xf32>, expected shape [4, 9]}}
  %r = "stablehlo.scatter"(%x, %q, %w) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<2x1xi32>, tensor<2x9xf32>) -> tensor<4x8xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %q: tensor<2x1xi32>, %w: tensor<2x9xf32>) {
  // expected-error @+1 {{stablehlo.scatter: C23: update_computation takes (tensor<f32>), expected (tensor<f32>, tensor<f32>)}}
  %r = "stablehlo.scatter"(%x, %q, %w) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<2x1xi32>, tensor<2x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce: C4: dimensions = [2] must lie in [0, 2)}}
  %r = "stablehlo.reduce"(%x, %s) <{dimensions = array<i64: 2>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce: C5: dimensions = [1, 1] must not repeat a dimension}}
  %r = "stablehlo.reduce"(%x, %s) <{dimensions = array<i64: 1, 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %i: tensor<4xi32>) {
  // expected-error @+1 {{stablehlo.reduce: I2: init value of type tensor<4xi32> is not a scalar}}
  %r = "stablehlo.reduce"(%x, %i) <{dimensions = array<i64: 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<4xi32>) -> tensor<4xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce: C7: result has type tensor<9xf32>, expected shape [4]}}
  %r = "stablehlo.reduce"(%x, %s) <{dimensions = array<i64: 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce: C8: result has type tensor<4xf64>, expected element type f32}}
  %r = stablehlo.reduce(%x init: %s) applies stablehlo.add across dimensions = [1] : (tensor<4x9xf32>, tensor<f32>) -> tensor<4xf64>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce_window: C4: window_dimensions has 1 entries for rank 2}}
  %r = "stablehlo.reduce_window"(%x, %s) <{window_dimensions = array<i64: 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce_window: C5: window_dimensions = [0, 1] must be positive}}
  %r = "stablehlo.reduce_window"(%x, %s) <{window_dimensions = array<i64: 0, 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce_window: C7: window_strides = [0, 1] must be positive}}
  %r = "stablehlo.reduce_window"(%x, %s) <{window_dimensions = array<i64: 1, 1>, window_strides = array<i64: 0, 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce_window: C12: padding has shape [1, 2], expected [2, 2]}}
  %r = "stablehlo.reduce_window"(%x, %s) <{window_dimensions = array<i64: 1, 1>, padding = dense<0> : tensor<1x2xi64>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.reduce_window: C15: result has type tensor<4x9xf32>, expected shape [3, 9]}}
  %r = "stablehlo.reduce_window"(%x, %s) <{window_dimensions = array<i64: 2, 1>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %m: tensor<3x3xf32>, %s: tensor<f32>, %p: tensor<i1>) {
  // expected-error @+1 {{stablehlo.select_and_scatter: C2: source has shape [3, 3], there are [3, 7] windows}}
  %r = "stablehlo.select_and_scatter"(%x, %m, %s) <{window_dimensions = array<i64: 2, 3>}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>, tensor<3x3xf32>, tensor<f32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %p: tensor<i1>) {
  // expected-error @+1 {{stablehlo.sort: C4: dimension 2 : i64 of rank 2}}
  %r = "stablehlo.sort"(%x) <{dimension = 2 : i64}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %p : tensor<i1>
  }) : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.sort: C5: comparator returns (tensor<f32>), expected (tensor<i1>)}}
  %r = "stablehlo.sort"(%x) <{dimension = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %d: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }) : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %m: tensor<3x3xf32>) {
  // expected-error @+1 {{stablehlo.dot_general: C10: lhs dim 1 has extent 9, rhs dim 0 has 3}}
  %r = stablehlo.dot_general %x, %m, contracting_dims = [1] x [0] : (tensor<4x9xf32>, tensor<3x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %m: tensor<3x3xf32>) {
  // expected-error @+1 {{stablehlo.dot_general: C1: batching_dims [0] x [] differ in number}}
  %r = stablehlo.dot_general %x, %m, batching_dims = [0] x [], contracting_dims = [] x [] : (tensor<4x9xf32>, tensor<3x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.dot_general: C3: lhs batching and contracting dims = [0, 0] must not repeat a dimension}}
  %r = stablehlo.dot_general %x, %x, batching_dims = [0] x [0], contracting_dims = [0] x [1] : (tensor<4x9xf32>, tensor<4x9xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.dot_general: C6: lhs contracting dims = [2] must lie in [0, 2)}}
  %r = stablehlo.dot_general %x, %x, contracting_dims = [2] x [1] : (tensor<4x9xf32>, tensor<4x9xf32>) -> tensor<4x4xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.dot_general: C12: result has type tensor<4x9xf32>, expected shape [4, 4]}}
  %r = stablehlo.dot_general %x, %x, contracting_dims = [1] x [1] : (tensor<4x9xf32>, tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C2: window_strides has 2 entries for 1 spatial dims}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C3: window_strides = [0] must be positive}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [0]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C4: padding has shape [2, 2], expected [1, 2]}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {pad = [[0, 0], [0, 0]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C6: lhs_dilation = [0] must be positive}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {lhs_dilate = [0]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C9: window_reversal has 2 entries}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {reverse = [true, true]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C23: feature and batch groups cannot both be used}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 2 : i64, feature_group_count = 2 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C11: 2 input features are not divisible by feature_group_count = 3}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 3 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C10: batch 2 is not divisible by batch_group_count = 3}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 3 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x3x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C14: kernel has 3 input features, expected 2 / 1}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x3x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C25: result has type tensor<2x4x9xf32>, expected shape [2, 4, 7]}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x9xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf64>) {
  // expected-error @+1 {{stablehlo.convolution: C27: operands have element types f32 and f64}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf64>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%l: tensor<2x2x9xf32>, %k: tensor<4x2x3xf32>) {
  // expected-error @+1 {{stablehlo.convolution: C21: feature_group_count = 0 must be positive}}
  %r = stablehlo.convolution(%l, %k) dim_numbers = [b, f, 0]x[o, i, 0]->[b, f, 0], window = {stride = [1]} {batch_group_count = 1 : i64, feature_group_count = 0 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x7xf32>
  func.return
}

// -----

func.func @f(%b: tensor<4xi1>) {
  // expected-error @+1 {{stablehlo.if: I1: pred has type tensor<4xi1>, expected tensor<i1>}}
  %r = "stablehlo.if"(%b) ({
    stablehlo.return
  }, {
    stablehlo.return
  }) : (tensor<4xi1>) -> tensor<f32>
  func.return
}

// -----

func.func @f(%p: tensor<i1>, %s: tensor<f32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.if: C2: false_branch returns (tensor<i32>), true_branch (tensor<f32>)}}
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %s : tensor<f32>
  }, {
    stablehlo.return %n : tensor<i32>
  }) : (tensor<i1>) -> tensor<f32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.case: C1: needs at least one branch}}
  "stablehlo.case"(%n) : (tensor<i32>) -> ()
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.case: C4: branch 0 returns (tensor<i32>), the results are (tensor<f32>)}}
  %r = "stablehlo.case"(%n) ({
    stablehlo.return %n : tensor<i32>
  }) : (tensor<i32>) -> tensor<f32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.while: C1: cond returns (tensor<i32>), expected (tensor<i1>)}}
  %r = stablehlo.while(%a = %n) : tensor<i32>
  cond {
    stablehlo.return %a : tensor<i32>
  } do {
    stablehlo.return %a : tensor<i32>
  }
  func.return
}

// -----

func.func @f(%n: tensor<i32>, %p: tensor<i1>, %s: tensor<f32>) {
  // expected-error @+1 {{stablehlo.while: C2: body returns (tensor<f32>), expected (tensor<i32>)}}
  %r = stablehlo.while(%a = %n) : tensor<i32>
  cond {
    stablehlo.return %p : tensor<i1>
  } do {
    stablehlo.return %s : tensor<f32>
  }
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.optimization_barrier: C1: operands (tensor<i32>), results (tensor<f32>)}}
  %r = "stablehlo.optimization_barrier"(%n) : (tensor<i32>) -> tensor<f32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  %t = stablehlo.tuple %n : tuple<tensor<i32>>
  // expected-error @+1 {{stablehlo.get_tuple_element: C1: index 1 of a tuple of 1}}
  %r = stablehlo.get_tuple_element %t[1] : (tuple<tensor<i32>>) -> tensor<i32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.composite: C4: results are (tensor<i32>), @f returns ()}}
  %r = stablehlo.composite "unnamed" %n {decomposition = @f} : (tensor<i32>) -> tensor<i32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.composite: C2: decomposition @nothing is not a function of this module}}
  %r = stablehlo.composite "my.op" %n {decomposition = @nothing} : (tensor<i32>) -> tensor<i32>
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.composite: C4: results are (tensor<i32>), @f returns ()}}
  %r = stablehlo.composite "my.op" %n {decomposition = @f} : (tensor<i32>) -> tensor<i32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.cholesky: C3: a has type tensor<4x9xf32>, expected square matrices}}
  %r = stablehlo.cholesky %x : tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.fft: C2: operand has element type f32, expected complex}}
  %r = stablehlo.fft %x, type = FFT, length = [9] : (tensor<4x9xf32>) -> tensor<4x9xcomplex<f32>>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.fft: C5: result has type tensor<4x9xcomplex<f32>>, expected shape [4, 5]}}
  %r = stablehlo.fft %x, type = RFFT, length = [9] : (tensor<4x9xf32>) -> tensor<4x9xcomplex<f32>>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{chlo.top_k: C1: k = 10 must lie in [0, last extent] of tensor<4x9xf32>}}
  %v, %w = chlo.top_k(%x, k = 10) : tensor<4x9xf32> -> (tensor<4x10xf32>, tensor<4x10xi32>)
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{chlo.top_k: C2: indices has type tensor<4x2xi64>, expected tensor<4x2xi32>}}
  %v, %w = chlo.top_k(%x, k = 2) : tensor<4x9xf32> -> (tensor<4x2xf32>, tensor<4x2xi64>)
  func.return
}

// -----

func.func @f(%n: tensor<i32>) {
  // expected-error @+1 {{chlo.erf: I1: operand has element type i32, expected float}}
  %r = chlo.erf %n : tensor<i32> -> tensor<i32>
  func.return
}

// -----

func.func @f(%s: tensor<f32>) {
  // expected-error @+1 {{chlo.is_inf: C1: result has type tensor<f32>, expected tensor<i1>}}
  %r = chlo.is_inf %s : tensor<f32> -> tensor<f32>
  func.return
}

// -----

func.func @f(%s: tensor<f32>, %x: tensor<4x9xf32>) {
  // expected-error @+1 {{chlo.next_after: C1: operand 1 has type tensor<4x9xf32>, expected tensor<f32>}}
  %r = chlo.next_after %s, %x : tensor<f32>, tensor<4x9xf32> -> tensor<f32>
  func.return
}

// -----

func.func @f(%m: tensor<3x3xf32>, %x: tensor<4x9xf32>) {
  // expected-error @+1 {{stablehlo.triangular_solve: C3: a has type tensor<3x3xf32>, b tensor<4x9xf32>}}
  %r = "stablehlo.triangular_solve"(%m, %x) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<3x3xf32>, tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %y: tensor<9xf32>) {
  // expected-error @+1 {{stablehlo.batch_norm_inference: C1: feature_index = 2 must lie in [0, 2)}}
  %r = "stablehlo.batch_norm_inference"(%x, %y, %y, %y, %y) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<4x9xf32>, tensor<9xf32>, tensor<9xf32>, tensor<9xf32>, tensor<9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %y: tensor<9xf32>) {
  // expected-error @+1 {{stablehlo.batch_norm_inference: C3: scale has type tensor<9xf32>, expected shape [4]}}
  %r = "stablehlo.batch_norm_inference"(%x, %y, %y, %y, %y) <{epsilon = 0.1 : f32, feature_index = 0 : i64}> : (tensor<4x9xf32>, tensor<9xf32>, tensor<9xf32>, tensor<9xf32>, tensor<9xf32>) -> tensor<4x9xf32>
  func.return
}
