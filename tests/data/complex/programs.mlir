// sort_lexicographic

func.func public @main(%x: tensor<3x9xcomplex<f32>>, %k: tensor<3x9xi32>) -> (tensor<3x9xcomplex<f32>>, tensor<3x9xi32>) {
 %r:2 = "stablehlo.sort"(%x, %k) <{dimension = 1 : i64, is_stable = true}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>, %i: tensor<i32>, %j: tensor<i32>):
  %c = stablehlo.compare LT, %a, %b, FLOAT : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<i1>
  stablehlo.return %c : tensor<i1>
 }) : (tensor<3x9xcomplex<f32>>, tensor<3x9xi32>) -> (tensor<3x9xcomplex<f32>>, tensor<3x9xi32>)
 return %r#0, %r#1 : tensor<3x9xcomplex<f32>>, tensor<3x9xi32>
}

// -----

// sort_by_magnitude

func.func public @main(%k: tensor<9xi32>, %x: tensor<9xcomplex<f32>>) -> (tensor<9xi32>, tensor<9xcomplex<f32>>) {
 %r:2 = "stablehlo.sort"(%k, %x) <{dimension = 0 : i64, is_stable = true}> ({
 ^bb0(%i: tensor<i32>, %j: tensor<i32>, %a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
  %p = stablehlo.abs %a : (tensor<complex<f32>>) -> tensor<f32>
  %q = stablehlo.abs %b : (tensor<complex<f32>>) -> tensor<f32>
  %c = stablehlo.compare GT, %p, %q, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
  stablehlo.return %c : tensor<i1>
 }) : (tensor<9xi32>, tensor<9xcomplex<f32>>) -> (tensor<9xi32>, tensor<9xcomplex<f32>>)
 return %r#0, %r#1 : tensor<9xi32>, tensor<9xcomplex<f32>>
}

// -----

// reduce_product

func.func public @main(%x: tensor<4x5xcomplex<f32>>, %z: tensor<complex<f32>>) -> tensor<4xcomplex<f32>> {
 %r = stablehlo.reduce(%x init: %z) applies stablehlo.multiply across dimensions = [1] : (tensor<4x5xcomplex<f32>>, tensor<complex<f32>>) -> tensor<4xcomplex<f32>>
 return %r : tensor<4xcomplex<f32>>
}

// -----

// reduce_sum

func.func public @main(%x: tensor<4x50xcomplex<f64>>, %z: tensor<complex<f64>>) -> tensor<50xcomplex<f64>> {
 %r = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0] : (tensor<4x50xcomplex<f64>>, tensor<complex<f64>>) -> tensor<50xcomplex<f64>>
 return %r : tensor<50xcomplex<f64>>
}

// -----

// reduce_with_index

func.func public @main(%x: tensor<4x5xcomplex<f32>>, %i: tensor<4x5xi32>, %z: tensor<complex<f32>>, %n: tensor<i32>) -> (tensor<4xcomplex<f32>>, tensor<4xi32>) {
 %r:2 = stablehlo.reduce(%x init: %z), (%i init: %n) across dimensions = [1] : (tensor<4x5xcomplex<f32>>, tensor<4x5xi32>, tensor<complex<f32>>, tensor<i32>) -> (tensor<4xcomplex<f32>>, tensor<4xi32>)
  reducer(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>) (%c: tensor<i32>, %d: tensor<i32>) {
   %g = stablehlo.compare GE, %a, %b, FLOAT : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<i1>
   %s = stablehlo.select %g, %a, %b : tensor<i1>, tensor<complex<f32>>
   %t = stablehlo.select %g, %c, %d : tensor<i1>, tensor<i32>
   stablehlo.return %s, %t : tensor<complex<f32>>, tensor<i32>
  }
 return %r#0, %r#1 : tensor<4xcomplex<f32>>, tensor<4xi32>
}

// -----

// windowed_maximum

func.func public @main(%x: tensor<9xcomplex<f32>>, %z: tensor<complex<f32>>) -> tensor<5xcomplex<f32>> {
 %r = "stablehlo.reduce_window"(%x, %z) <{window_dimensions = array<i64: 3>, window_strides = array<i64: 2>, padding = dense<[[1, 1]]> : tensor<1x2xi64>}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
  %c = stablehlo.maximum %a, %b : tensor<complex<f32>>
  stablehlo.return %c : tensor<complex<f32>>
 }) : (tensor<9xcomplex<f32>>, tensor<complex<f32>>) -> tensor<5xcomplex<f32>>
 return %r : tensor<5xcomplex<f32>>
}

// -----

// scatter_product

func.func public @main(%x: tensor<6x2xcomplex<f32>>, %i: tensor<4x1xi32>, %u: tensor<4x2xcomplex<f32>>) -> tensor<6x2xcomplex<f32>> {
 %r = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
  %c = stablehlo.multiply %a, %b : tensor<complex<f32>>
  stablehlo.return %c : tensor<complex<f32>>
 }) : (tensor<6x2xcomplex<f32>>, tensor<4x1xi32>, tensor<4x2xcomplex<f32>>) -> tensor<6x2xcomplex<f32>>
 return %r : tensor<6x2xcomplex<f32>>
}

// -----

// scatter_assignment

func.func public @main(%x: tensor<6x2xcomplex<f32>>, %i: tensor<4x1xi32>, %u: tensor<4x2xcomplex<f32>>) -> tensor<6x2xcomplex<f32>> {
 %r = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
  stablehlo.return %b : tensor<complex<f32>>
 }) : (tensor<6x2xcomplex<f32>>, tensor<4x1xi32>, tensor<4x2xcomplex<f32>>) -> tensor<6x2xcomplex<f32>>
 return %r : tensor<6x2xcomplex<f32>>
}

// -----

// select_and_scatter

func.func public @main(%x: tensor<6x5xcomplex<f32>>, %s: tensor<3x3xcomplex<f32>>, %z: tensor<complex<f32>>) -> tensor<6x5xcomplex<f32>> {
 %r = "stablehlo.select_and_scatter"(%x, %s, %z) <{window_dimensions = array<i64: 3, 2>, window_strides = array<i64: 2, 2>, padding = dense<[[1, 0], [0, 1]]> : tensor<2x2xi64>}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
  %c = stablehlo.compare GE, %a, %b, FLOAT : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<i1>
  stablehlo.return %c : tensor<i1>
 }, {
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
  %c = stablehlo.add %a, %b : tensor<complex<f32>>
  stablehlo.return %c : tensor<complex<f32>>
 }) : (tensor<6x5xcomplex<f32>>, tensor<3x3xcomplex<f32>>, tensor<complex<f32>>) -> tensor<6x5xcomplex<f32>>
 return %r : tensor<6x5xcomplex<f32>>
}

// -----

// map

func.func public @main(%x: tensor<6xcomplex<f32>>, %y: tensor<6xf32>) -> (tensor<6xcomplex<f32>>, tensor<6xf32>) {
 %r = "stablehlo.map"(%x, %y) <{dimensions = array<i64: 0>}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<f32>):
  %q = stablehlo.convert %b : (tensor<f32>) -> tensor<complex<f32>>
  %k = stablehlo.constant dense<(1.5, -2.0)> : tensor<complex<f32>>
  %c = stablehlo.divide %a, %q : tensor<complex<f32>>
  %d = stablehlo.add %c, %k : tensor<complex<f32>>
  stablehlo.return %d : tensor<complex<f32>>
 }) : (tensor<6xcomplex<f32>>, tensor<6xf32>) -> tensor<6xcomplex<f32>>
 %s = "stablehlo.map"(%x, %y) <{dimensions = array<i64: 0>}> ({
 ^bb0(%a: tensor<complex<f32>>, %b: tensor<f32>):
  %c = stablehlo.abs %a : (tensor<complex<f32>>) -> tensor<f32>
  %d = stablehlo.multiply %c, %b : tensor<f32>
  stablehlo.return %d : tensor<f32>
 }) : (tensor<6xcomplex<f32>>, tensor<6xf32>) -> tensor<6xf32>
 return %r, %s : tensor<6xcomplex<f32>>, tensor<6xf32>
}

// -----

// control_flow

func.func public @main(%x: tensor<4xcomplex<f32>>, %p: tensor<i1>, %n: tensor<i32>) -> (tensor<4xcomplex<f32>>, tensor<complex<f32>>, tensor<f32>) {
 %zero = stablehlo.constant dense<0> : tensor<i32>
 %one = stablehlo.constant dense<1> : tensor<i32>
 %c0 = stablehlo.constant dense<[(1.0, 2.0), (0.5, -1.0), (0.0, 0.0), (-0.0, 3.0)]> : tensor<4xcomplex<f32>>
 %c1 = stablehlo.constant dense<(0.25, 2.0)> : tensor<4xcomplex<f32>>
 %i = "stablehlo.if"(%p) ({
   %a = stablehlo.multiply %x, %c0 : tensor<4xcomplex<f32>>
   stablehlo.return %a : tensor<4xcomplex<f32>>
 }, {
   %a = stablehlo.subtract %x, %c1 : tensor<4xcomplex<f32>>
   stablehlo.return %a : tensor<4xcomplex<f32>>
 }) : (tensor<i1>) -> tensor<4xcomplex<f32>>
 %w:2 = stablehlo.while(%k = %zero, %c = %i) : tensor<i32>, tensor<4xcomplex<f32>>
   cond { %t = stablehlo.compare LT, %k, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
     stablehlo.return %t : tensor<i1> }
   do { %k2 = stablehlo.add %k, %one : tensor<i32>
     %d = stablehlo.multiply %c, %x : tensor<4xcomplex<f32>>
     %e = func.call @twist(%d) : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
     stablehlo.return %k2, %e : tensor<i32>, tensor<4xcomplex<f32>> }
 %s = "stablehlo.case"(%n) ({
   %a = stablehlo.slice %w#1 [0:1] : (tensor<4xcomplex<f32>>) -> tensor<1xcomplex<f32>>
   %b = stablehlo.reshape %a : (tensor<1xcomplex<f32>>) -> tensor<complex<f32>>
   stablehlo.return %b : tensor<complex<f32>>
 }, {
   %b = stablehlo.constant dense<(7.0, -8.0)> : tensor<complex<f32>>
   stablehlo.return %b : tensor<complex<f32>>
 }) : (tensor<i32>) -> tensor<complex<f32>>
 %o:2 = stablehlo.optimization_barrier %s, %w#1 : tensor<complex<f32>>, tensor<4xcomplex<f32>>
 %re = stablehlo.real %o#0 : (tensor<complex<f32>>) -> tensor<f32>
 return %o#1, %o#0, %re : tensor<4xcomplex<f32>>, tensor<complex<f32>>, tensor<f32>
}
func.func private @twist(%x: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
 %r = stablehlo.reverse %x, dims = [0] : tensor<4xcomplex<f32>>
 return %r : tensor<4xcomplex<f32>>
}

// -----

// data_movement

func.func public @main(%x: tensor<4x3xcomplex<f32>>, %i: tensor<2x1xi32>, %s: tensor<i32>, %u: tensor<1x2xcomplex<f32>>, %v: tensor<complex<f32>>) -> (tensor<2x3xcomplex<f32>>, tensor<2x2xcomplex<f32>>, tensor<4x3xcomplex<f32>>, tensor<7x4xcomplex<f32>>, tensor<3x8xcomplex<f32>>, tensor<5xcomplex<f32>>, tensor<4x3xcomplex<f64>>, tensor<4x3xi32>, tensor<4x3xcomplex<f32>>) {
 %g = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>}> : (tensor<4x3xcomplex<f32>>, tensor<2x1xi32>) -> tensor<2x3xcomplex<f32>>
 %d = stablehlo.dynamic_slice %x, %s, %s, sizes = [2, 2] : (tensor<4x3xcomplex<f32>>, tensor<i32>, tensor<i32>) -> tensor<2x2xcomplex<f32>>
 %e = stablehlo.dynamic_update_slice %x, %u, %s, %s : (tensor<4x3xcomplex<f32>>, tensor<1x2xcomplex<f32>>, tensor<i32>, tensor<i32>) -> tensor<4x3xcomplex<f32>>
 %p = stablehlo.pad %x, %v, low = [0, 1], high = [0, 0], interior = [1, 0] : (tensor<4x3xcomplex<f32>>, tensor<complex<f32>>) -> tensor<7x4xcomplex<f32>>
 %t = stablehlo.transpose %x, dims = [1, 0] : (tensor<4x3xcomplex<f32>>) -> tensor<3x4xcomplex<f32>>
 %cc = stablehlo.concatenate %t, %t, dim = 1 : (tensor<3x4xcomplex<f32>>, tensor<3x4xcomplex<f32>>) -> tensor<3x8xcomplex<f32>>
 %io = stablehlo.iota dim = 0 : tensor<5xcomplex<f32>>
 %w = stablehlo.convert %x : (tensor<4x3xcomplex<f32>>) -> tensor<4x3xcomplex<f64>>
 %n = stablehlo.convert %x : (tensor<4x3xcomplex<f32>>) -> tensor<4x3xi32>
 %cl = stablehlo.clamp %v, %x, %v : (tensor<complex<f32>>, tensor<4x3xcomplex<f32>>, tensor<complex<f32>>) -> tensor<4x3xcomplex<f32>>
 return %g, %d, %e, %p, %cc, %io, %w, %n, %cl : tensor<2x3xcomplex<f32>>, tensor<2x2xcomplex<f32>>, tensor<4x3xcomplex<f32>>, tensor<7x4xcomplex<f32>>, tensor<3x8xcomplex<f32>>, tensor<5xcomplex<f32>>, tensor<4x3xcomplex<f64>>, tensor<4x3xi32>, tensor<4x3xcomplex<f32>>
}

// -----

// bitcasts

func.func public @main(%x: tensor<3xcomplex<f64>>, %y: tensor<3x2xcomplex<f32>>, %z: tensor<2xcomplex<f32>>) -> (tensor<3x2xcomplex<f32>>, tensor<3xcomplex<f64>>, tensor<2xcomplex<f32>>) {
 %a = stablehlo.bitcast_convert %x : (tensor<3xcomplex<f64>>) -> tensor<3x2xcomplex<f32>>
 %b = stablehlo.bitcast_convert %y : (tensor<3x2xcomplex<f32>>) -> tensor<3xcomplex<f64>>
 %c = stablehlo.bitcast_convert %z : (tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>>
 return %a, %b, %c : tensor<3x2xcomplex<f32>>, tensor<3xcomplex<f64>>, tensor<2xcomplex<f32>>
}

// -----

// convolution

func.func public @main(%x: tensor<1x5x5x2xcomplex<f32>>, %w: tensor<3x3x2x3xcomplex<f32>>) -> tensor<1x5x5x3xcomplex<f32>> {
 %r = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x5x5x2xcomplex<f32>>, tensor<3x3x2x3xcomplex<f32>>) -> tensor<1x5x5x3xcomplex<f32>>
 return %r : tensor<1x5x5x3xcomplex<f32>>
}

// -----

// contraction

func.func public @main(%x: tensor<2x7x9xcomplex<f64>>, %w: tensor<2x9x5xcomplex<f64>>) -> tensor<2x7x5xcomplex<f64>> {
 %r = stablehlo.dot_general %x, %w, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x7x9xcomplex<f64>>, tensor<2x9x5xcomplex<f64>>) -> tensor<2x7x5xcomplex<f64>>
 return %r : tensor<2x7x5xcomplex<f64>>
}

// -----

// nothing

func.func public @main(%x: tensor<0x3xcomplex<f32>>, %y: tensor<complex<f32>>) -> (tensor<0x3xcomplex<f32>>, tensor<3xcomplex<f32>>, tensor<complex<f32>>) {
 %a = stablehlo.exponential %x : tensor<0x3xcomplex<f32>>
 %r = stablehlo.reduce(%a init: %y) applies stablehlo.multiply across dimensions = [0] : (tensor<0x3xcomplex<f32>>, tensor<complex<f32>>) -> tensor<3xcomplex<f32>>
 return %a, %r, %y : tensor<0x3xcomplex<f32>>, tensor<3xcomplex<f32>>, tensor<complex<f32>>
}

// -----

// chlo

func.func public @main(%x: tensor<4xcomplex<f32>>, %y: tensor<complex<f32>>) -> (tensor<4xcomplex<f32>>, tensor<4xcomplex<f32>>) {
  %0 = "chlo.constant_like"(%x) {value = #complex.number<:f32 1.0, 2.0> : complex<f32>} : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = chlo.broadcast_multiply %0, %y : (tensor<4xcomplex<f32>>, tensor<complex<f32>>) -> tensor<4xcomplex<f32>>
  %2 = chlo._asin_acos_kernel %x : tensor<4xcomplex<f32>> -> tensor<4xcomplex<f32>>
  return %1, %2 : tensor<4xcomplex<f32>>, tensor<4xcomplex<f32>>
}
