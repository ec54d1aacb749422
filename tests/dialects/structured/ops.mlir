// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @sort
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>, %[[I:.*]]: tensor<2x3xi32>)
// CHECK: structured.sort outs(%[[X]], %[[I]] : tensor<2x3xf32>, tensor<2x3xi32>) {dimension = 1 : i64, stable} {
// CHECK-NEXT: ^{{.*}}(%[[A:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32):
// CHECK-NEXT: %[[C:.*]] = arith.cmpf olt, %[[A]], %[[B]] : f32
// CHECK-NEXT: structured.yield %[[C]] : i1
// CHECK: } -> (tensor<2x3xf32>, tensor<2x3xi32>)
func.func @sort(%x: tensor<2x3xf32>, %i: tensor<2x3xi32>) -> (tensor<2x3xf32>, tensor<2x3xi32>) {
  %r:2 = structured.sort outs(%x, %i : tensor<2x3xf32>, tensor<2x3xi32>) {dimension = 1 : i64, stable} {
  ^bb0(%a: f32, %b: f32, %p: i32, %q: i32):
    %c = arith.cmpf olt, %a, %b : f32
    structured.yield %c : i1
  } -> (tensor<2x3xf32>, tensor<2x3xi32>)
  func.return %r#0, %r#1 : tensor<2x3xf32>, tensor<2x3xi32>
}

// -----

// CHECK-LABEL: func.func @scatter
// CHECK-SAME: (%[[I:.*]]: memref<3x1xi32>, %[[U:.*]]: memref<3x4xf32>, %[[X:.*]]: memref<9x4xf32>)
// CHECK: structured.scatter ins(%[[I]], %[[U]] : memref<3x1xi32>, memref<3x4xf32>) outs(%[[X]] : memref<9x4xf32>) {
// CHECK-NOT: ->
func.func @scatter(%i: memref<3x1xi32>, %u: memref<3x4xf32>, %x: memref<9x4xf32>) {
  structured.scatter ins(%i, %u : memref<3x1xi32>, memref<3x4xf32>) outs(%x : memref<9x4xf32>) {
    update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
    scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64,
    unique_indices
  } {
  ^bb0(%old: f32, %new: f32):
    %s = arith.addf %old, %new : f32
    structured.yield %s : f32
  }
  func.return
}

// -----

// CHECK-LABEL: func.func @select_and_scatter
// CHECK: structured.select_and_scatter ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4x4xf32>, tensor<2x2xf32>, tensor<f32>) outs(%{{.*}} : tensor<4x4xf32>)
// CHECK: structured.yield %{{.*}} : i1
// CHECK: }, {
// CHECK: structured.yield %{{.*}} : f32
// CHECK: } -> tensor<4x4xf32>
func.func @select_and_scatter(%x: tensor<4x4xf32>, %s: tensor<2x2xf32>, %i: tensor<f32>, %o: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %r = structured.select_and_scatter ins(%x, %s, %i : tensor<4x4xf32>, tensor<2x2xf32>, tensor<f32>) outs(%o : tensor<4x4xf32>) {
    window_dimensions = array<i64: 2, 2>, window_strides = array<i64: 2, 2>, padding_low = array<i64: 0, 0>,
    padding_high = array<i64: 0, 0>
  } {
  ^bb0(%a: f32, %b: f32):
    %c = arith.cmpf oge, %a, %b : f32
    structured.yield %c : i1
  }, {
  ^bb0(%a: f32, %b: f32):
    %c = arith.addf %a, %b : f32
    structured.yield %c : f32
  } -> tensor<4x4xf32>
  func.return %r : tensor<4x4xf32>
}

// -----

// CHECK-LABEL: func.func @update_slice
// CHECK-SAME: (%[[X:.*]]: tensor<8x6xf32>, %[[U:.*]]: tensor<2x3xf32>, %[[I:.*]]: tensor<i32>)
// CHECK: structured.update_slice ins(%[[U]], %[[I]], %[[I]] : tensor<2x3xf32>, tensor<i32>, tensor<i32>) outs(%[[X]] : tensor<8x6xf32>) -> tensor<8x6xf32>
func.func @update_slice(%x: tensor<8x6xf32>, %u: tensor<2x3xf32>, %i: tensor<i32>) -> tensor<8x6xf32> {
  %r = structured.update_slice ins(%u, %i, %i : tensor<2x3xf32>, tensor<i32>, tensor<i32>) outs(%x : tensor<8x6xf32>) -> tensor<8x6xf32>
  func.return %r : tensor<8x6xf32>
}

// -----

// CHECK-LABEL: func.func @scan
// CHECK-SAME: (%[[X:.*]]: tensor<4x9xf32>, %[[I:.*]]: tensor<4xf32>)
// CHECK: structured.scan ins(%[[X]], %[[I]] : tensor<4x9xf32>, tensor<4xf32>) outs(%{{.*}} : tensor<4x9xf32>) {dimension = 1 : i64, reverse, exclusive} {
// CHECK-NEXT: ^{{.*}}(%[[A:.*]]: f32, %[[B:.*]]: f32):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[B]] : f32
// CHECK-NEXT: structured.yield %[[S]] : f32
// CHECK: } -> tensor<4x9xf32>
func.func @scan(%x: tensor<4x9xf32>, %i: tensor<4xf32>) -> tensor<4x9xf32> {
  %e = tensor.empty() : tensor<4x9xf32>
  %r = structured.scan ins(%x, %i : tensor<4x9xf32>, tensor<4xf32>) outs(%e : tensor<4x9xf32>) {dimension = 1 : i64, reverse, exclusive} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    structured.yield %s : f32
  } -> tensor<4x9xf32>
  func.return %r : tensor<4x9xf32>
}

// -----

// CHECK-LABEL: func.func @scan_of_pairs
// CHECK: structured.scan ins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : memref<9xf32>, memref<9xi32>, memref<f32>, memref<i32>) outs(%{{.*}}, %{{.*}} : memref<9xf32>, memref<9xi32>) {dimension = 0 : i64}
func.func @scan_of_pairs(%x: memref<9xf32>, %y: memref<9xi32>, %i: memref<f32>, %j: memref<i32>) {
  structured.scan ins(%x, %y, %i, %j : memref<9xf32>, memref<9xi32>, memref<f32>, memref<i32>) outs(%x, %y : memref<9xf32>, memref<9xi32>) {dimension = 0 : i64} {
  ^bb0(%a: f32, %b: i32, %c: f32, %d: i32):
    structured.yield %c, %d : f32, i32
  }
  func.return
}

// -----

// CHECK-LABEL: func.func @attention
// CHECK-SAME: (%[[Q:.*]]: tensor<3x8x4xf32>, %[[K:.*]]: tensor<9x4xf32>, %[[V:.*]]: tensor<3x9x5xf32>, %[[B:.*]]: tensor<9xf32>)
// CHECK: structured.attention ins(%[[Q]], %[[K]], %[[V]], %[[B]] : tensor<3x8x4xf32>, tensor<9x4xf32>, tensor<3x9x5xf32>, tensor<9xf32>) outs(%{{.*}} : tensor<8x3x5xf32>)
// CHECK-SAME: sizes = array<i64: 3, 8, 9, 4, 5>, causal = -1 : i64, fill = -1.000000e+09 : f32
// CHECK-NEXT: ^{{.*}}(%[[S:.*]]: f32, %{{.*}}: index, %{{.*}}: index, %[[E:.*]]: f32):
// CHECK-NEXT: %[[T:.*]] = arith.addf %[[S]], %[[E]] : f32
// CHECK-NEXT: structured.yield %[[T]] : f32
// CHECK: } -> tensor<8x3x5xf32>
func.func @attention(%q: tensor<3x8x4xf32>, %k: tensor<9x4xf32>, %v: tensor<3x9x5xf32>, %b: tensor<9xf32>) -> tensor<8x3x5xf32> {
  %e = tensor.empty() : tensor<8x3x5xf32>
  %o = structured.attention ins(%q, %k, %v, %b : tensor<3x8x4xf32>, tensor<9x4xf32>, tensor<3x9x5xf32>, tensor<9xf32>) outs(%e : tensor<8x3x5xf32>) {
    sizes = array<i64: 3, 8, 9, 4, 5>, causal = -1 : i64, fill = -1.0e9 : f32,
    indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>,
                     affine_map<(b, q, k, d, c) -> (k)>, affine_map<(b, q, k, d, c) -> (q, b, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index, %x: f32):
    %t = arith.addf %s, %x : f32
    structured.yield %t : f32
  } -> tensor<8x3x5xf32>
  func.return %o : tensor<8x3x5xf32>
}

// -----

// CHECK-LABEL: func.func @top_k
// CHECK-SAME: (%[[X:.*]]: tensor<4x900xui8>
// CHECK: structured.top_k ins(%[[X]] : tensor<4x900xui8>) outs(%{{.*}}, %{{.*}} : tensor<4x8xui8>, tensor<4x8xi32>) {unsigned} -> (tensor<4x8xui8>, tensor<4x8xi32>)
// CHECK: structured.top_k ins(%{{.*}} : memref<900xf32>) outs(%{{.*}}, %{{.*}} : memref<8xf32>, memref<8xi32>) scratch(%{{.*}}, %{{.*}}, %{{.*}} : memref<64x2xi64>, memref<128xi64>, memref<16xi32>)
func.func @top_k(%x: tensor<4x900xui8>, %e: tensor<4x8xui8>, %p: tensor<4x8xi32>, %m: memref<900xf32>, %n: memref<8xf32>, %o: memref<8xi32>,
                 %r: memref<64x2xi64>, %s: memref<128xi64>, %b: memref<16xi32>) -> tensor<4x8xui8> {
  %v, %i = structured.top_k ins(%x : tensor<4x900xui8>) outs(%e, %p : tensor<4x8xui8>, tensor<4x8xi32>) {unsigned} -> (tensor<4x8xui8>, tensor<4x8xi32>)
  structured.top_k ins(%m : memref<900xf32>) outs(%n, %o : memref<8xf32>, memref<8xi32>) scratch(%r, %s, %b : memref<64x2xi64>, memref<128xi64>, memref<16xi32>)
  func.return %v : tensor<4x8xui8>
}

// -----

// CHECK-LABEL: func.func @element
// CHECK: ^{{.*}}(%[[X:.*]]: f32, %[[A:.*]]: f32):
// CHECK-NEXT: %[[E:.*]] = structured.element %[[X]] into %[[A]] : f32
// CHECK-NEXT: arith.subf %[[A]], %[[E]] : f32
func.func @element(%x: tensor<8xf32>, %i: tensor<f32>) -> tensor<f32> {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<8xf32>) outs(%i : tensor<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %e = structured.element %a into %acc : f32
    %d = arith.subf %acc, %e : f32
    linalg.yield %d : f32
  } -> tensor<f32>
  func.return %r : tensor<f32>
}

// -----

// CHECK-LABEL: func.func @winograd
// CHECK-SAME: (%[[W:.*]]: tensor<3x3x8x5xf32>, %{{.*}}: tensor<8x3x3x5xf32>, %[[X:.*]]: tensor<2x7x3x8xf64>, %[[P:.*]]: tensor<36x4x5xf32>
// CHECK: structured.winograd_filter ins(%[[W]] : tensor<3x3x8x5xf32>) outs(%{{.*}} : tensor<16x8x5xf32>) {tile = 2 : i64} -> tensor<16x8x5xf32>
// CHECK: structured.winograd_filter ins(%{{.*}} : tensor<8x3x3x5xf32>) outs(%{{.*}} : tensor<16x8x5xf32>) {channels_first, tile = 2 : i64} -> tensor<16x8x5xf32>
// CHECK: structured.winograd_input ins(%[[X]] : tensor<2x7x3x8xf64>) outs(%{{.*}} : tensor<16x16x8xf64>) {tiles = array<i64: 4, 2>, low = array<i64: 1, 0>, tile = 2 : i64} -> tensor<16x16x8xf64>
// CHECK: structured.winograd_output ins(%[[P]] : tensor<36x4x5xf32>) outs(%{{.*}} : tensor<1x7x5x5xf32>) {tile = 4 : i64} -> tensor<1x7x5x5xf32>
func.func @winograd(%w: tensor<3x3x8x5xf32>, %z: tensor<8x3x3x5xf32>, %x: tensor<2x7x3x8xf64>, %p: tensor<36x4x5xf32>, %a: tensor<16x8x5xf32>, %b: tensor<16x16x8xf64>, %c: tensor<1x7x5x5xf32>) {
  %u = structured.winograd_filter ins(%w : tensor<3x3x8x5xf32>) outs(%a : tensor<16x8x5xf32>) {tile = 2 : i64} -> tensor<16x8x5xf32>
  %t = structured.winograd_filter ins(%z : tensor<8x3x3x5xf32>) outs(%a : tensor<16x8x5xf32>) {channels_first, tile = 2 : i64} -> tensor<16x8x5xf32>
  %v = structured.winograd_input ins(%x : tensor<2x7x3x8xf64>) outs(%b : tensor<16x16x8xf64>) {tiles = array<i64: 4, 2>, low = array<i64: 1, 0>, tile = 2 : i64} -> tensor<16x16x8xf64>
  %y = structured.winograd_output ins(%p : tensor<36x4x5xf32>) outs(%c : tensor<1x7x5x5xf32>) {tile = 4 : i64} -> tensor<1x7x5x5xf32>
  func.return
}

// -----

// CHECK-LABEL: func.func @host_call
// CHECK: structured.host_call ins(%{{.*}} : tensor<4xi32>) outs(%{{.*}}, %{{.*}} : tensor<4xf32>, tensor<2xi1>) {target = "table", types = [tensor<4xui32>, tensor<4xf32>, tensor<2xi1>], config = {k = 3 : i64}} -> (tensor<4xf32>, tensor<2xi1>)
// CHECK: structured.host_call outs(%{{.*}} : memref<3xf32>) {target = "numbers", types = [tensor<3xf32>]}
func.func @host_call(%x: tensor<4xi32>, %e: tensor<4xf32>, %f: tensor<2xi1>, %m: memref<3xf32>) {
  %r:2 = structured.host_call ins(%x : tensor<4xi32>) outs(%e, %f : tensor<4xf32>, tensor<2xi1>) {target = "table", types = [tensor<4xui32>, tensor<4xf32>, tensor<2xi1>], config = {k = 3 : i64}} -> (tensor<4xf32>, tensor<2xi1>)
  structured.host_call outs(%m : memref<3xf32>) {target = "numbers", types = [tensor<3xf32>]}
  func.return
}

// -----

// CHECK-LABEL: func.func @attention_gradient
// CHECK-SAME: (%[[Q:.*]]: tensor<2x3x8x4xf32>, %[[K:.*]]: tensor<2x9x4xf32>, %[[V:.*]]: tensor<2x9x5xf32>, %[[G:.*]]: tensor<2x3x8x5xf32>, %[[DQ:.*]]: tensor<2x3x8x4xf32>, %[[DK:.*]]: tensor<2x9x4xf32>, %[[DV:.*]]: tensor<2x9x5xf32>)
// CHECK: structured.attention_gradient ins(%[[Q]], %[[K]], %[[V]], %[[G]] : {{.*}}) outs(%[[DQ]], %[[DK]], %[[DV]] : {{.*}}) {
// CHECK-SAME: causal = 0 : i64, fill = -1.000000e+09 : f32
// CHECK-NEXT: ^{{.*}}(%[[S:.*]]: f32, %{{.*}}: index, %{{.*}}: index):
// CHECK-NEXT: structured.yield %[[S]] : f32
// CHECK-NEXT: }, {
// CHECK-NEXT: ^{{.*}}(%[[T:.*]]: f32, %{{.*}}: f32, %{{.*}}: index, %{{.*}}: index):
// CHECK-NEXT: structured.yield %[[T]] : f32
// CHECK: } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
func.func @attention_gradient(%x0: tensor<2x3x8x4xf32>, %x1: tensor<2x9x4xf32>, %x2: tensor<2x9x5xf32>, %x3: tensor<2x3x8x5xf32>, %x4: tensor<2x3x8x4xf32>, %x5: tensor<2x9x4xf32>, %x6: tensor<2x9x5xf32>) -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {
  %dq, %dk, %dv = structured.attention_gradient ins(%x0, %x1, %x2, %x3 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>, tensor<2x3x8x5xf32>) outs(%x4, %x5, %x6 : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>) {causal = 0 : i64, fill = -1.0e9 : f32, sizes = array<i64: 2, 3, 8, 9, 4, 5>, indexing_maps = [affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, c)>, affine_map<(a, b, q, k, d, c) -> (a, b, q, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, d)>, affine_map<(a, b, q, k, d, c) -> (a, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>)
  func.return %dq, %dk, %dv : tensor<2x3x8x4xf32>, tensor<2x9x4xf32>, tensor<2x9x5xf32>
}
