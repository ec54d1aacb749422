// RUN: stepwell-opt %s --split-input-file --convert-stablehlo-to-linalg | filecheck %s

// CHECK-LABEL: func.func @add
// CHECK-SAME: (%[[A:.*]]: tensor<4x5xf32>, %[[B:.*]]: tensor<4x5xf32>)
// CHECK-NEXT: %[[E:.*]] = tensor.empty() : tensor<4x5xf32>
// CHECK-NEXT: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%[[A]], %[[B]] : tensor<4x5xf32>, tensor<4x5xf32>) outs(%[[E]] : tensor<4x5xf32>)
// CHECK-NEXT: ^{{.*}}(%[[X:.*]]: f32, %[[Y:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[X]], %[[Y]] : f32
// CHECK-NEXT: linalg.yield %[[S]] : f32
func.func @add(%a: tensor<4x5xf32>, %b: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %0 = stablehlo.add %a, %b : tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// -----

// Unsigned types become signless; the op says how the bits are read. A constant divisor needs no guard.

// CHECK-LABEL: func.func @unsigned
// CHECK-SAME: (%[[A:.*]]: tensor<4xi32>) -> tensor<4xi32>
// CHECK: ^{{.*}}(%[[X:.*]]: i32, %{{.*}}: i32):
// CHECK-NEXT: %[[C:.*]] = arith.constant 3 : i32
// CHECK-NEXT: %[[Q:.*]] = arith.divui %[[X]], %[[C]] : i32
// CHECK-NEXT: linalg.yield %[[Q]] : i32
func.func @unsigned(%a: tensor<4xui32>) -> tensor<4xui32> {
  %c = stablehlo.constant dense<3> : tensor<ui32>
  %b = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<ui32>) -> tensor<4xui32>
  %0 = stablehlo.divide %a, %b : tensor<4xui32>
  return %0 : tensor<4xui32>
}

// -----

// CHECK-LABEL: func.func @moves
// CHECK-SAME: (%[[A:.*]]: tensor<4x6xf32>)
// CHECK: affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>
// CHECK: affine_map<(d0, d1) -> (((d0 * 2) + 1), d1)>, affine_map<(d0, d1) -> (d0, d1)>
// CHECK: affine_map<(d0, d1) -> (((d0 * -1) + 1), d1)>, affine_map<(d0, d1) -> (d0, d1)>
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0 : i64, 1 : i64]] : tensor<2x3xf32> into tensor<6xf32>
// CHECK: tensor.expand_shape %{{.*}} {{\[\[}}0 : i64, 1 : i64]] output_shape [3, 2] : tensor<6xf32> into tensor<3x2xf32>
func.func @moves(%a: tensor<4x6xf32>) -> (tensor<6x4xf32>, tensor<2x3xf32>, tensor<3x2xf32>) {
  %0 = stablehlo.transpose %a, dims = [1, 0] : (tensor<4x6xf32>) -> tensor<6x4xf32>
  %1 = stablehlo.slice %a [1:4:2, 0:3] : (tensor<4x6xf32>) -> tensor<2x3xf32>
  %2 = stablehlo.reverse %1, dims = [0] : tensor<2x3xf32>
  %3 = stablehlo.reshape %1 : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %0, %2, %3 : tensor<6x4xf32>, tensor<2x3xf32>, tensor<3x2xf32>
}

// -----

// The accumulator is the first argument of the region, whose elements are marked where it is more than one op that reassociates.

// CHECK-LABEL: func.func @reduce
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%{{.*}} : tensor<3x5xf32>) outs(%[[F]] : tensor<5xf32>)
// CHECK-NEXT: ^{{.*}}(%[[X:.*]]: f32, %[[ACC:.*]]: f32):
// CHECK-NEXT: %[[E:.*]] = structured.element %[[X]] into %[[ACC]] : f32
// CHECK-NEXT: arith.subf %[[ACC]], %[[E]] : f32
func.func @reduce(%a: tensor<3x5xf32>) -> tensor<5xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce"(%a, %c) <{dimensions = array<i64: 0>}> ({
  ^bb0(%acc: tensor<f32>, %x: tensor<f32>):
    %s = stablehlo.subtract %acc, %x : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<3x5xf32>, tensor<f32>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

// Loops in result order (batch, free, free), then the contracted one; small floats accumulate in f32.

// CHECK-LABEL: func.func @dot
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK-SAME: outs(%{{.*}} : tensor<2x4x3xf32>)
// CHECK-NEXT: ^{{.*}}(%[[X:.*]]: bf16, %[[Y:.*]]: bf16, %[[ACC:.*]]: f32):
// CHECK-NEXT: %[[XE:.*]] = arith.extf %[[X]] : bf16 to f32
// CHECK-NEXT: %[[YE:.*]] = arith.extf %[[Y]] : bf16 to f32
// CHECK-NEXT: %[[M:.*]] = arith.mulf %[[XE]], %[[YE]] : f32
// CHECK-NEXT: arith.addf %[[ACC]], %[[M]] : f32
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @dot(%a: tensor<2x4x5xbf16>, %b: tensor<2x3x5xbf16>) -> tensor<2x4x3xbf16> {
  %0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x4x5xbf16>, tensor<2x3x5xbf16>) -> tensor<2x4x3xbf16>
  return %0 : tensor<2x4x3xbf16>
}

// -----

// Padding by fill and insert, strides and dilation in the maps, groups as one more loop over what is split before it is padded.

// CHECK-LABEL: func.func @convolution
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 0, 1, 1] [1, 2, 2, 8, 8] [1, 1, 1, 1, 1] : tensor<1x2x2x8x8xf32> into tensor<1x2x2x10x10xf32>
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d5, ((d3 * 2) + d6), ((d4 * 2) + d7))>, affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d1, d2, d5, d6, d7)>, affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d2, d3, d4)>]
// CHECK: tensor.collapse_shape
func.func @convolution(%x: tensor<1x4x8x8xf32>, %w: tensor<6x2x3x3xf32>) -> tensor<1x6x4x4xf32> {
  %0 = stablehlo.convolution(%x, %w) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [2, 2], pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 2 : i64} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x4x4xf32>
  return %0 : tensor<1x6x4x4xf32>
}

// -----

// Window loops take their extent from a shape-only operand.

// CHECK-LABEL: func.func @max_pool
// CHECK: %[[W:.*]] = tensor.empty() : tensor<2xf32>
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, ((d1 * 2) + d2))>, affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.*}}, %[[W]] : tensor<3x8xf32>, tensor<2xf32>)
// CHECK: arith.maximumf
func.func @max_pool(%x: tensor<3x8xf32>) -> tensor<3x4xf32> {
  %c = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %c) <{window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %m = stablehlo.maximum %a, %b : tensor<f32>
    stablehlo.return %m : tensor<f32>
  }) : (tensor<3x8xf32>, tensor<f32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @gather
// CHECK-SAME: (%[[T:.*]]: tensor<9x4xf32>, %[[I:.*]]: tensor<3x1xi32>)
// CHECK: ins(%[[I]] : tensor<3x1xi32>)
// CHECK: %[[S:.*]] = arith.index_cast %{{.*}} : i32 to index
// CHECK: %[[L:.*]] = arith.minsi %[[S]], %{{.*}} : index
// CHECK: %[[C:.*]] = arith.maxsi %[[L]], %{{.*}} : index
// CHECK: tensor.extract %[[T]][%[[C]], %{{.*}}] : tensor<9x4xf32>
func.func @gather(%t: tensor<9x4xf32>, %i: tensor<3x1xi32>) -> tensor<3x4xf32> {
  %0 = "stablehlo.gather"(%t, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>, indices_are_sorted = false}> : (tensor<9x4xf32>, tensor<3x1xi32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @update
// CHECK: structured.update_slice ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2x3xf32>, tensor<i32>, tensor<i32>) outs(%{{.*}} : tensor<8x6xf32>)
func.func @update(%x: tensor<8x6xf32>, %u: tensor<2x3xf32>, %i: tensor<i32>) -> tensor<8x6xf32> {
  %0 = stablehlo.dynamic_update_slice %x, %u, %i, %i : (tensor<8x6xf32>, tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<8x6xf32>
  return %0 : tensor<8x6xf32>
}

// -----

// CHECK-LABEL: func.func @loop
// CHECK: scf.while
// CHECK: %[[C:.*]] = tensor.extract %{{.*}}[] : tensor<i1>
// CHECK-NEXT: scf.condition(%[[C]])
func.func @loop(%n: tensor<i32>) -> tensor<i32> {
  %c = stablehlo.constant dense<1> : tensor<i32>
  %0 = stablehlo.while(%i = %c) : tensor<i32>
  cond {
    %1 = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %1 = stablehlo.add %i, %i : tensor<i32>
    stablehlo.return %1 : tensor<i32>
  }
  return %0 : tensor<i32>
}

// -----

// The last branch is the default.

// CHECK-LABEL: func.func @case
// CHECK: %[[S:.*]] = tensor.extract %{{.*}}[] : tensor<i32>
// CHECK-NEXT: %[[I:.*]] = arith.index_cast %[[S]] : i32 to index
// CHECK-NEXT: scf.index_switch %[[I]] -> tensor<f32>
// CHECK-NEXT: case 0 {
// CHECK: default {
func.func @case(%s: tensor<i32>, %a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %0 = "stablehlo.case"(%s) ({
    stablehlo.return %a : tensor<f32>
  }, {
    stablehlo.return %b : tensor<f32>
  }) : (tensor<i32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// A window that grows by an element from one to the next is a scan, of the dims before, the dim, and those behind.

// CHECK-LABEL: func.func @running_sum
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x5x7xf32>)
// CHECK: %[[C:.*]] = arith.constant dense<0.000000e+00> : tensor<f32>
// CHECK: %[[F:.*]] = tensor.collapse_shape %[[X]] {{\[\[0 : i64, 1 : i64\], \[2 : i64\], \[3 : i64\]\]|\[\[0, 1\], \[2\], \[3\]\]}} : tensor<2x3x5x7xf32> into tensor<6x5x7xf32>
// CHECK: %[[R:.*]] = structured.scan ins(%[[F]], %[[C]] : tensor<6x5x7xf32>, tensor<f32>) outs(%{{.*}} : tensor<6x5x7xf32>) {dimension = 1 : i64, reverse} {
// CHECK: arith.addf
// CHECK: tensor.expand_shape %[[R]]
func.func @running_sum(%x: tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %c) <{window_dimensions = array<i64: 1, 1, 5, 1>, padding = dense<[[0, 0], [0, 0], [0, 4], [0, 0]]> : tensor<4x2xi64>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = stablehlo.add %a, %b : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<2x3x5x7xf32>, tensor<f32>) -> tensor<2x3x5x7xf32>
  func.return %0 : tensor<2x3x5x7xf32>
}

// -----

// Attention is claimed where there are vectors for it: the causal mask is told apart from the other one, the scale is a product,
// and the result is transposed as the program's last product has it.

// CHECK-LABEL: func.func @attention_claimed
// CHECK-SAME: (%[[Q:.*]]: tensor<2x8x16xf32>, %[[K:.*]]: tensor<2x12x16xf32>, %[[V:.*]]: tensor<2x12x16xf32>, %[[B:.*]]: tensor<12xi1>)
// CHECK: %[[O:.*]] = structured.attention ins(%[[Q]], %[[K]], %[[V]], %[[B]] :
// CHECK-SAME: sizes = array<i64: 2, 8, 12, 16, 16>, causal = 2 : i64, fill = -1.000000e+09 : f32
// CHECK-SAME: kernel.remarks = ["recognized as attention of 8 queries and 12 keys, causal from 2, 1 masks or biases"]
// CHECK-NEXT: ^{{.*}}(%[[S:.*]]: f32, %{{.*}}: index, %{{.*}}: index, %[[H:.*]]: i1):
// CHECK: %[[C:.*]] = arith.constant 1.250000e-01 : f32
// CHECK-NEXT: %[[T:.*]] = arith.mulf %[[S]], %[[C]] : f32
// CHECK: %[[N:.*]] = arith.xori %[[H]]
// CHECK: %[[R:.*]] = arith.select %[[N]], %[[T]], %{{.*}} : f32
// CHECK-NEXT: structured.yield %[[R]] : f32
// CHECK: linalg.generic {{.*}} ins(%[[O]] : tensor<2x8x16xf32>) outs(%{{.*}} : tensor<2x16x8xf32>)
// CHECK-NOT: func.func private
func.func @attention_claimed(%q: tensor<2x8x16xf32>, %k: tensor<2x12x16xf32>, %v: tensor<2x12x16xf32>, %b: tensor<12xi1>) -> tensor<2x16x8xf32> {
  %o = stablehlo.composite "stepwell.attention" %q, %k, %v, %b {decomposition = @attention} : (tensor<2x8x16xf32>, tensor<2x12x16xf32>, tensor<2x12x16xf32>, tensor<12xi1>) -> tensor<2x16x8xf32>
  func.return %o : tensor<2x16x8xf32>
}
func.func private @attention(%q: tensor<2x8x16xf32>, %k: tensor<2x12x16xf32>, %v: tensor<2x12x16xf32>, %b: tensor<12xi1>) -> tensor<2x16x8xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %eight = stablehlo.constant dense<8.0> : tensor<2x8x12xf32>
  %fill = stablehlo.constant dense<-1.0e9> : tensor<2x8x12xf32>
  %two = stablehlo.constant dense<2> : tensor<8x12xi32>
  %0 = stablehlo.dot_general %k, %q, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x12x16xf32>, tensor<2x8x16xf32>) -> tensor<2x12x8xf32>
  %1 = stablehlo.transpose %0, dims = [0, 2, 1] : (tensor<2x12x8xf32>) -> tensor<2x8x12xf32>
  %2 = stablehlo.divide %1, %eight : tensor<2x8x12xf32>
  %i = stablehlo.iota dim = 0 : tensor<8x12xi32>
  %j = stablehlo.iota dim = 1 : tensor<8x12xi32>
  %ii = stablehlo.add %i, %two : tensor<8x12xi32>
  %above = stablehlo.compare LT, %ii, %j, SIGNED : (tensor<8x12xi32>, tensor<8x12xi32>) -> tensor<8x12xi1>
  %bb = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<12xi1>) -> tensor<8x12xi1>
  %hidden = stablehlo.or %above, %bb : tensor<8x12xi1>
  %h = stablehlo.broadcast_in_dim %hidden, dims = [1, 2] : (tensor<8x12xi1>) -> tensor<2x8x12xi1>
  %s = stablehlo.select %h, %fill, %2 : tensor<2x8x12xi1>, tensor<2x8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [2] : (tensor<2x8x12xf32>, tensor<f32>) -> tensor<2x8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<2x8x12xf32>
  %e = stablehlo.exponential %d : tensor<2x8x12xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x8x12xf32>, tensor<f32>) -> tensor<2x8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x12xf32>
  %w = stablehlo.divide %e, %tt : tensor<2x8x12xf32>
  %o = stablehlo.dot_general %v, %w, batching_dims = [0] x [0], contracting_dims = [1] x [2] : (tensor<2x12x16xf32>, tensor<2x8x12xf32>) -> tensor<2x16x8xf32>
  func.return %o : tensor<2x16x8xf32>
}

// -----

// One query has no dim in the scores: the attention has one of one element, which the result loses again.

// CHECK-LABEL: func.func @one_query
// CHECK-SAME: (%[[Q:.*]]: tensor<2x16xf32>, %[[K:.*]]: tensor<2x20x16xf32>, %[[V:.*]]: tensor<2x20x16xf32>)
// CHECK: %[[O:.*]] = structured.attention ins(%[[Q]], %[[K]], %[[V]] :
// CHECK-SAME: indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0, d3)>,
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4)>], sizes = array<i64: 2, 1, 20, 16, 16>
// CHECK-SAME: kernel.remarks = ["recognized as attention of 1 queries and 20 keys"]
// CHECK: tensor.collapse_shape %[[O]] {{\[\[}}0 : i64{{\]}}, [1 : i64, 2 : i64]] : tensor<2x1x16xf32> into tensor<2x16xf32>
func.func @one_query(%q: tensor<2x16xf32>, %k: tensor<2x20x16xf32>, %v: tensor<2x20x16xf32>) -> tensor<2x16xf32> {
  %o = stablehlo.composite "stepwell.attention" %q, %k, %v {decomposition = @attention} : (tensor<2x16xf32>, tensor<2x20x16xf32>, tensor<2x20x16xf32>) -> tensor<2x16xf32>
  func.return %o : tensor<2x16xf32>
}
func.func private @attention(%q: tensor<2x16xf32>, %k: tensor<2x20x16xf32>, %v: tensor<2x20x16xf32>) -> tensor<2x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, batching_dims = [0] x [0], contracting_dims = [1] x [2] : (tensor<2x16xf32>, tensor<2x20x16xf32>) -> tensor<2x20xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<2x20xf32>, tensor<f32>) -> tensor<2xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<2xf32>) -> tensor<2x20xf32>
  %d = stablehlo.subtract %s, %mm : tensor<2x20xf32>
  %e = stablehlo.exponential %d : tensor<2x20xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<2x20xf32>, tensor<f32>) -> tensor<2xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<2xf32>) -> tensor<2x20xf32>
  %w = stablehlo.divide %e, %tt : tensor<2x20xf32>
  %o = stablehlo.dot_general %w, %v, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x20xf32>, tensor<2x20x16xf32>) -> tensor<2x16xf32>
  func.return %o : tensor<2x16xf32>
}

// -----

// Lanes that move in groups have no strategy for it: it is as if nothing had been recognized.

// CHECK-LABEL: func.func @attention_as_parts
// CHECK-NOT: structured.attention
// CHECK-NOT: call
// CHECK: math.exp
// CHECK: kernel.remarks = ["attention as its parts: lanes that move in groups have no strategy for it"]
// CHECK-NOT: func.func private
module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64}} {
func.func @attention_as_parts(%q: tensor<2x8x16xf32>, %k: tensor<2x12x16xf32>, %v: tensor<2x12x16xf32>, %b: tensor<12xi1>) -> tensor<2x16x8xf32> {
  %o = stablehlo.composite "stepwell.attention" %q, %k, %v, %b {decomposition = @attention} : (tensor<2x8x16xf32>, tensor<2x12x16xf32>, tensor<2x12x16xf32>, tensor<12xi1>) -> tensor<2x16x8xf32>
  func.return %o : tensor<2x16x8xf32>
}
func.func private @attention(%q: tensor<2x8x16xf32>, %k: tensor<2x12x16xf32>, %v: tensor<2x12x16xf32>, %b: tensor<12xi1>) -> tensor<2x16x8xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %eight = stablehlo.constant dense<8.0> : tensor<2x8x12xf32>
  %fill = stablehlo.constant dense<-1.0e9> : tensor<2x8x12xf32>
  %two = stablehlo.constant dense<2> : tensor<8x12xi32>
  %0 = stablehlo.dot_general %k, %q, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x12x16xf32>, tensor<2x8x16xf32>) -> tensor<2x12x8xf32>
  %1 = stablehlo.transpose %0, dims = [0, 2, 1] : (tensor<2x12x8xf32>) -> tensor<2x8x12xf32>
  %2 = stablehlo.divide %1, %eight : tensor<2x8x12xf32>
  %i = stablehlo.iota dim = 0 : tensor<8x12xi32>
  %j = stablehlo.iota dim = 1 : tensor<8x12xi32>
  %ii = stablehlo.add %i, %two : tensor<8x12xi32>
  %above = stablehlo.compare LT, %ii, %j, SIGNED : (tensor<8x12xi32>, tensor<8x12xi32>) -> tensor<8x12xi1>
  %bb = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<12xi1>) -> tensor<8x12xi1>
  %hidden = stablehlo.or %above, %bb : tensor<8x12xi1>
  %h = stablehlo.broadcast_in_dim %hidden, dims = [1, 2] : (tensor<8x12xi1>) -> tensor<2x8x12xi1>
  %s = stablehlo.select %h, %fill, %2 : tensor<2x8x12xi1>, tensor<2x8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [2] : (tensor<2x8x12xf32>, tensor<f32>) -> tensor<2x8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<2x8x12xf32>
  %e = stablehlo.exponential %d : tensor<2x8x12xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x8x12xf32>, tensor<f32>) -> tensor<2x8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x12xf32>
  %w = stablehlo.divide %e, %tt : tensor<2x8x12xf32>
  %o = stablehlo.dot_general %v, %w, batching_dims = [0] x [0], contracting_dims = [1] x [2] : (tensor<2x12x16xf32>, tensor<2x8x12xf32>) -> tensor<2x16x8xf32>
  func.return %o : tensor<2x16x8xf32>
}
}

// -----

// A loop that counts from a constant to a constant says how often it runs, for who counts launches.
// CHECK-LABEL: func.func @counted
// CHECK: scf.while
// CHECK: attributes {stepwell.trips = 7 : i64}
func.func @counted(%x: tensor<2xf32>) -> tensor<2xf32> {
  %first = stablehlo.constant dense<3> : tensor<i32>
  %last = stablehlo.constant dense<10> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%i = %first, %y = %x) : tensor<i32>, tensor<2xf32>
    cond {
      %c = stablehlo.compare LT, %i, %last : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %d = stablehlo.add %i, %one : tensor<i32>
      %e = stablehlo.add %y, %y : tensor<2xf32>
      stablehlo.return %d, %e : tensor<i32>, tensor<2xf32>
    }
  return %r#1 : tensor<2xf32>
}

// -----

// A composite of that name whose decomposition is something else is what its decomposition is.

// CHECK-LABEL: func.func @not_attention
// CHECK-NOT: structured.attention
// CHECK-NOT: call
// CHECK: kernel.remarks = ["attention as its parts: its decomposition is none"]
// CHECK: arith.mulf
// CHECK-NOT: func.func private
func.func @not_attention(%x: tensor<8xf32>) -> tensor<8xf32> {
  %o = stablehlo.composite "stepwell.attention" %x {decomposition = @square} : (tensor<8xf32>) -> tensor<8xf32>
  func.return %o : tensor<8xf32>
}
func.func private @square(%x: tensor<8xf32>) -> tensor<8xf32> {
  %y = stablehlo.multiply %x, %x : tensor<8xf32>
  func.return %y : tensor<8xf32>
}

// -----

// The maximum of many small floats accumulates in f32, which changes nothing; of few it does not.

// CHECK-LABEL: func.func @largest
// CHECK: linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<2xf32>)
// CHECK: ^{{.*}}(%[[X:.*]]: bf16, %[[A:.*]]: f32):
// CHECK-NEXT: %[[W:.*]] = arith.extf %[[X]] : bf16 to f32
// CHECK-NEXT: %[[M:.*]] = arith.maximumf %[[A]], %[[W]] : f32
// CHECK: arith.truncf
// CHECK: ^{{.*}}(%{{.*}}: bf16, %{{.*}}: bf16):
// CHECK-NEXT: arith.maximumf %{{.*}} : bf16
func.func @largest(%x: tensor<2x64xbf16>, %y: tensor<2x63xbf16>) -> (tensor<2xbf16>, tensor<2xbf16>) {
  %low = stablehlo.constant dense<0xFF80> : tensor<bf16>
  %a = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<2x64xbf16>, tensor<bf16>) -> tensor<2xbf16>
  %b = stablehlo.reduce(%y init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<2x63xbf16>, tensor<bf16>) -> tensor<2xbf16>
  return %a, %b : tensor<2xbf16>, tensor<2xbf16>
}

// -----

// A long line alone is cut into parts, for as many workers; of two cores' four, the best of the parts' best, and where they were.

// CHECK-LABEL: func.func @parts
// CHECK: %[[P:.*]] = tensor.expand_shape %x {{.*}} : tensor<262144xf32> into tensor<4x65536xf32>
// CHECK: structured.top_k ins(%[[P]] : tensor<4x65536xf32>)
// CHECK: %{{.*}}, %[[W:.*]] = structured.top_k ins(%{{.*}} : tensor<1x12xf32>) outs(%{{.*}}, %{{.*}} : tensor<1x3xf32>, tensor<1x3xi32>)
// CHECK: linalg.generic {{.*}} ins(%[[W]] : tensor<1x3xi32>)
// CHECK: tensor.extract %{{.*}}[%{{.*}}, %{{.*}}] : tensor<1x12xi32>
// CHECK: arith.divui
module attributes {stepwell.target = #stepwell.target<{level = "avx2", vector_bits = 256 : i64, cores = 2 : i64}>} {
  func.func @parts(%x: tensor<262144xf32>) -> (tensor<3xf32>, tensor<3xi32>) {
    %v, %i = chlo.top_k(%x, k = 3) : tensor<262144xf32> -> (tensor<3xf32>, tensor<3xi32>)
    return %v, %i : tensor<3xf32>, tensor<3xi32>
  }
}

// -----

// The gradient of attention, claimed: the mask by numbers is the op's, what else hides keys is in both regions.

// CHECK-LABEL: func.func @gradient_claimed
// CHECK-SAME: (%[[Q:.*]]: tensor<8x16xf32>, %[[K:.*]]: tensor<12x16xf32>, %[[V:.*]]: tensor<12x16xf32>, %[[G:.*]]: tensor<8x16xf32>, %[[M:.*]]: tensor<12xi1>)
// CHECK: %[[O:.*]], %{{.*}}, %{{.*}} = structured.attention_gradient ins(%[[Q]], %[[K]], %[[V]], %[[G]], %[[M]] :
// CHECK-SAME: sizes = array<i64: 8, 12, 16, 16>, causal = 0 : i64, fill = 0xff800000 : f32
// CHECK-SAME: kernel.remarks = ["recognized as the gradient of attention of 8 queries and 12 keys, causal from 0, 1 masks or biases"]
// CHECK-NEXT: ^{{.*}}(%[[P:.*]]: f32, %{{.*}}: index, %{{.*}}: index, %[[B:.*]]: i1):
// CHECK-NEXT: %[[FILL:.*]] = arith.constant 0xff800000 : f32
// CHECK-NEXT: %[[S:.*]] = arith.select %[[B]], %[[P]], %[[FILL]] : f32
// CHECK-NEXT: structured.yield %[[S]] : f32
// CHECK-NEXT: }, {
// CHECK-NEXT: ^{{.*}}(%[[T:.*]]: f32, %{{.*}}: f32, %{{.*}}: index, %{{.*}}: index, %[[B:.*]]: i1):
// CHECK-NEXT: %[[NONE:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[U:.*]] = arith.select %[[B]], %[[T]], %[[NONE]] : f32
// CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[D:.*]] = arith.mulf %[[U]], %[[HALF]] : f32
// CHECK-NEXT: structured.yield %[[D]] : f32
// CHECK-NOT: func.func private @gradient
module attributes {stepwell.target = {arch = "x86_64", level = "avx2", vector_bits = 256 : i64, cores = 2 : i64, l2_bytes = 1024 : i64}} {
func.func @gradient_claimed(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>, %m: tensor<12xi1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>) {
  %dq, %dk, %dv = stablehlo.composite "stepwell.attention_gradient" %q, %k, %v, %g, %m {decomposition = @gradient} : (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>, tensor<12xi1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>)
  func.return %dq, %dk, %dv : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
}
func.func private @gradient(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>, %m: tensor<12xi1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %lows = stablehlo.constant dense<0xff800000> : tensor<8x12xf32>
  %zeros = stablehlo.constant dense<0.0> : tensor<8x12xf32>
  %half = stablehlo.constant dense<0.5> : tensor<8x12xf32>
  %i = stablehlo.iota dim = 0 : tensor<8x12xi32>
  %j = stablehlo.iota dim = 1 : tensor<8x12xi32>
  %seen = stablehlo.compare GE, %i, %j, SIGNED : (tensor<8x12xi32>, tensor<8x12xi32>) -> tensor<8x12xi1>
  %mb = stablehlo.broadcast_in_dim %m, dims = [1] : (tensor<12xi1>) -> tensor<8x12xi1>
  %both = stablehlo.and %seen, %mb : tensor<8x12xi1>
  %p = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %s = stablehlo.select %both, %p, %lows : tensor<8x12xi1>, tensor<8x12xf32>
  %h = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %hh = stablehlo.broadcast_in_dim %h, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %hh : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %du = stablehlo.select %both, %ds, %zeros : tensor<8x12xi1>, tensor<8x12xf32>
  %dp = stablehlo.multiply %du, %half : tensor<8x12xf32>
  %dq = stablehlo.dot_general %dp, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %dp, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
}
}

// -----

// Where lanes move in groups there is no strategy for it: its parts, with what they share made once.

// CHECK-LABEL: func.func @gradient_as_parts
// CHECK-NOT: structured.attention_gradient
// CHECK: math.exp
// CHECK-NOT: math.exp
// CHECK: kernel.remarks = ["gradient of attention as its parts: lanes that move in groups have no strategy for it"]
// CHECK: func.return
module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 132 : i64}} {
func.func @gradient_as_parts(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>, %m: tensor<12xi1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>) {
  %dq, %dk, %dv = stablehlo.composite "stepwell.attention_gradient" %q, %k, %v, %g, %m {decomposition = @gradient} : (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>, tensor<12xi1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>)
  func.return %dq, %dk, %dv : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
}
func.func private @gradient(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>, %m: tensor<12xi1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %lows = stablehlo.constant dense<0xff800000> : tensor<8x12xf32>
  %zeros = stablehlo.constant dense<0.0> : tensor<8x12xf32>
  %half = stablehlo.constant dense<0.5> : tensor<8x12xf32>
  %i = stablehlo.iota dim = 0 : tensor<8x12xi32>
  %j = stablehlo.iota dim = 1 : tensor<8x12xi32>
  %seen = stablehlo.compare GE, %i, %j, SIGNED : (tensor<8x12xi32>, tensor<8x12xi32>) -> tensor<8x12xi1>
  %mb = stablehlo.broadcast_in_dim %m, dims = [1] : (tensor<12xi1>) -> tensor<8x12xi1>
  %both = stablehlo.and %seen, %mb : tensor<8x12xi1>
  %p = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %s = stablehlo.select %both, %p, %lows : tensor<8x12xi1>, tensor<8x12xf32>
  %h = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %hh = stablehlo.broadcast_in_dim %h, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %hh : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %du = stablehlo.select %both, %ds, %zeros : tensor<8x12xi1>, tensor<8x12xf32>
  %dp = stablehlo.multiply %du, %half : tensor<8x12xf32>
  %dq = stablehlo.dot_general %dp, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %dp, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
}
}
