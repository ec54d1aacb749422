// RUN: stepwell-opt %s --fuse-elementwise --split-input-file | filecheck %s

// A chain becomes one body; the transposed operand a map; the constant a scalar.

// CHECK-LABEL: func.func @chain
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x8xf32>, %[[Y:[^:]+]]: tensor<8x4xf32>
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%[[X]], %[[Y]] : tensor<4x8xf32>, tensor<8x4xf32>)
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[E:.*]] = math.exp %[[A]]
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: %[[M:.*]] = arith.mulf %[[B]], %[[C]]
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[E]], %[[M]]
// CHECK-NEXT: linalg.yield %[[S]]
// CHECK-NOT: linalg.generic
func.func @chain(%x: tensor<4x8xf32>, %y: tensor<8x4xf32>) -> tensor<4x8xf32> {
  %two = arith.constant dense<2.0> : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4x8xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%0, %1, %two : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %m = arith.mulf %b, %c : f32
    %s = arith.addf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  func.return %2 : tensor<4x8xf32>
}

// -----

// What is costly is computed once for two readers; what would be repeated along a new dim stays.

// CHECK-LABEL: func.func @costly
// CHECK: %[[E:.*]] = linalg.generic {{.*}} attrs =  {kernel.decisions = [{bytes_saved = 32 : i64, flops_repeated = 28 : i64, reason = "computes exp of 4xf32 once and stores it: its reader would do its 12 simple ops 8 times and read 1 large operands, which takes longer than to store it", taken = false, location =
// CHECK-NEXT: ^bb0
// CHECK-NEXT: math.exp
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>]{{.*}} ins(%[[E]], %{{.*}} : tensor<4xf32>, tensor<4x8xf32>)
func.func @costly(%x: tensor<4xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %f = tensor.empty() : tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%0, %y : tensor<4xf32>, tensor<4x8xf32>) outs(%f : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x8xf32>
  func.return %1 : tensor<4x8xf32>
}

// -----

// A producer that stays and its reader become one generic of two results.

// CHECK-LABEL: func.func @two_results
// CHECK: %[[P:.*]], %[[Q:.*]] = linalg.generic
// CHECK: %[[E:.*]] = math.exp
// CHECK: %[[D:.*]] = arith.addf %[[E]], %[[E]]
// CHECK: linalg.yield %[[E]], %[[D]] : f32, f32
// CHECK: func.return %[[P]], %[[Q]]
func.func @two_results(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  func.return %0, %1 : tensor<8xf32>, tensor<8xf32>
}

// -----

// A slice that a reduction reads tells how far it reduces: it stays.

// CHECK-LABEL: func.func @extent
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0) -> ((d0 + 2))>, affine_map<(d0) -> (d0)>]{{.*}}reason = "computes move of 4xf32 once and stores it: it tells the extent of a reduced dim", taken = false
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
func.func @extent(%x: tensor<8xf32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0 + 2)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  %z = arith.constant 0.0 : f32
  %f = tensor.empty() : tensor<f32>
  %i = linalg.fill ins(%z : f32) outs(%f : tensor<f32>) -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%0 : tensor<4xf32>) outs(%i : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  func.return %1 : tensor<f32>
}

// -----

// A product converts what it packs: its operands are stored as they come.

// CHECK-LABEL: func.func @widened
// CHECK: linalg.generic {{.*}} ins(%x, %y : tensor<6x8xi8>, tensor<8x5xi8>) outs(%{{.*}} : tensor<6x5xi32>)
// CHECK-NEXT: (%[[A:.*]]: i8, %[[B:.*]]: i8, %{{.*}}: i32)
// CHECK-DAG: arith.extui %[[A]] : i8 to i32
// CHECK-DAG: arith.extsi %[[B]] : i8 to i32
// CHECK-NOT: linalg.generic
func.func @widened(%x: tensor<6x8xi8>, %y: tensor<8x5xi8>) -> tensor<6x5xi32> {
  %d = tensor.empty() : tensor<6x8xi32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<6x8xi8>) outs(%d : tensor<6x8xi32>) {
  ^bb0(%a: i8, %o: i32):
    %w = arith.extui %a : i8 to i32
    linalg.yield %w : i32
  } -> tensor<6x8xi32>
  %e = tensor.empty() : tensor<8x5xi32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<8x5xi8>) outs(%e : tensor<8x5xi32>) {
  ^bb0(%a: i8, %o: i32):
    %w = arith.extsi %a : i8 to i32
    linalg.yield %w : i32
  } -> tensor<8x5xi32>
  %z = arith.constant 0 : i32
  %g = tensor.empty() : tensor<6x5xi32>
  %i = linalg.fill ins(%z : i32) outs(%g : tensor<6x5xi32>) -> tensor<6x5xi32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%0, %1 : tensor<6x8xi32>, tensor<8x5xi32>) outs(%i : tensor<6x5xi32>) {
  ^bb0(%a: i32, %b: i32, %o: i32):
    %m = arith.muli %a, %b : i32
    %s = arith.addi %o, %m : i32
    linalg.yield %s : i32
  } -> tensor<6x5xi32>
  func.return %2 : tensor<6x5xi32>
}

// -----

// But not one that reads through a window, in place: a conversion is stored before it.

// CHECK-LABEL: func.func @widened_window
// CHECK: linalg.generic {{.*}} ins(%w : tensor<3xbf16>) outs(%{{.*}} : tensor<3xf32>)
// CHECK: linalg.generic {{.*}} ins(%x, %{{.*}} : tensor<2x10xf32>, tensor<3xf32>) outs(%{{.*}} : tensor<2x8xf32>)
func.func @widened_window(%x: tensor<2x10xf32>, %w: tensor<3xbf16>) -> tensor<2x8xf32> {
  %e = tensor.empty() : tensor<3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%w : tensor<3xbf16>) outs(%e : tensor<3xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %v = arith.extf %a : bf16 to f32
    linalg.yield %v : f32
  } -> tensor<3xf32>
  %z = arith.constant 0.0 : f32
  %g = tensor.empty() : tensor<2x8xf32>
  %i = linalg.fill ins(%z : f32) outs(%g : tensor<2x8xf32>) -> tensor<2x8xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1 + d2)>, affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %1 : tensor<2x10xf32>, tensor<3xf32>) outs(%i : tensor<2x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x8xf32>
  func.return %2 : tensor<2x8xf32>
}

// -----

// A product reads slices, split and transposed, of its operand in place; its result is written as it is read.

// CHECK-LABEL: func.func @product
// CHECK-SAME: %[[X:[^:]+]]: tensor<6x24xf32>, %[[W:[^:]+]]: tensor<2x4x5xf32>
// CHECK: %[[V:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0 : i64], [1 : i64, 2 : i64]] output_shape [6, 6, 4]
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d1, (d0 + 2), d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d1, d0, d2)>]{{.*}} ins(%[[V]], %[[W]] : tensor<6x6x4xf32>, tensor<2x4x5xf32>) outs(%{{.*}} : tensor<6x2x5xf32>)
// CHECK-NOT: linalg.generic
func.func @product(%x: tensor<6x24xf32>, %w: tensor<2x4x5xf32>) -> tensor<6x2x5xf32> {
  %e = tensor.empty() : tensor<6x8xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1 + 8)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<6x24xf32>) outs(%e : tensor<6x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<6x8xf32>
  %1 = tensor.expand_shape %0 [[0], [1, 2]] output_shape [6, 2, 4] : tensor<6x8xf32> into tensor<6x2x4xf32>
  %f = tensor.empty() : tensor<2x6x4xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1 : tensor<6x2x4xf32>) outs(%f : tensor<2x6x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x6x4xf32>
  %z = arith.constant 0.0 : f32
  %g = tensor.empty() : tensor<2x6x5xf32>
  %i = linalg.fill ins(%z : f32) outs(%g : tensor<2x6x5xf32>) -> tensor<2x6x5xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%2, %w : tensor<2x6x4xf32>, tensor<2x4x5xf32>) outs(%i : tensor<2x6x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x6x5xf32>
  %h = tensor.empty() : tensor<6x2x5xf32>
  %4 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%3 : tensor<2x6x5xf32>) outs(%h : tensor<6x2x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<6x2x5xf32>
  func.return %4 : tensor<6x2x5xf32>
}

// -----

// A reduced dim of extent one is no reduction: what is left is a map, which then moves into its reader.

// CHECK-LABEL: func.func @unit
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]} ins(%{{.*}} : tensor<4x1xf32>)
// CHECK: arith.addf
// CHECK-NEXT: math.exp
// CHECK-NOT: linalg.generic
func.func @unit(%x: tensor<4x1xf32>) -> tensor<4xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x1xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  func.return %1 : tensor<4xf32>
}

// -----

// The map behind an expand_shape runs over the collapsed space, where it reads the product point by point; the collapse_shape
// after it then undoes nothing.

// CHECK-LABEL: func.func @expand_sinks
// CHECK: %[[M:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-NOT: tensor.expand_shape
// CHECK: %[[T:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>]{{.*}} ins(%[[M]], %{{.*}} : tensor<6x4xf32>, tensor<4xf32>)
// CHECK: func.return %[[T]] : tensor<6x4xf32>
func.func @expand_sinks(%x: tensor<6x8xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>) -> tensor<6x4xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x4xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<6x4xf32>) -> tensor<6x4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<6x8xf32>, tensor<8x4xf32>) outs(%i : tensor<6x4xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %m = arith.mulf %a, %c : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<6x4xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %f = tensor.empty() : tensor<2x3x4xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %b : tensor<2x3x4xf32>, tensor<4xf32>) outs(%f : tensor<2x3x4xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<2x3x4xf32>
  %3 = tensor.collapse_shape %2 [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  func.return %3 : tensor<6x4xf32>
}

// -----

// A transposed value is collapsed: its reader runs over the expanded space and takes it in.

// CHECK-LABEL: func.func @collapse_sinks
// CHECK-SAME: %[[X:[^:]+]]: tensor<2x4x3xf32>, %[[Y:[^:]+]]: tensor<6x4xf32>
// CHECK: %[[V:.*]] = tensor.expand_shape %[[Y]]
// CHECK: %[[R:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>]{{.*}} ins(%[[X]], %[[V]] :
// CHECK-NOT: linalg.generic
// CHECK: tensor.collapse_shape %[[R]]
func.func @collapse_sinks(%x: tensor<2x4x3xf32>, %y: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %e = tensor.empty() : tensor<2x3x4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x4x3xf32>) outs(%e : tensor<2x3x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<2x3x4xf32>
  %1 = tensor.collapse_shape %0 [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  %f = tensor.empty() : tensor<6x4xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%1, %y : tensor<6x4xf32>, tensor<6x4xf32>) outs(%f : tensor<6x4xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<6x4xf32>
  func.return %2 : tensor<6x4xf32>
}

// -----

// Copies that only add or drop dims of extent one are reshapes.

// CHECK-LABEL: func.func @unit_copy
// CHECK-NEXT: %[[R:.*]] = tensor.expand_shape %{{.*}} {{\[\[}}0 : i64, 1 : i64]] output_shape [1, 4] : tensor<4xf32> into tensor<1x4xf32>
// CHECK-NEXT: func.return %[[R]]
func.func @unit_copy(%x: tensor<4xf32>) -> tensor<1x4xf32> {
  %e = tensor.empty() : tensor<1x4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<1x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<1x4xf32>
  func.return %0 : tensor<1x4xf32>
}

// -----

// Attention reads and writes through maps: split columns, slices, transposes and dims of one element disappear.

// CHECK-LABEL: func.func @moves_around_attention
// CHECK-SAME: (%[[Z:.*]]: tensor<2x8x64xf32>)
// CHECK-NEXT: %[[E:.*]] = tensor.empty() : tensor<2x8x2x16xf32>
// CHECK-NEXT: %[[O:.*]] = structured.attention ins(%[[Z]], %[[Z]], %[[Z]] : tensor<2x8x64xf32>, tensor<2x8x64xf32>, tensor<2x8x64xf32>) outs(%[[E]] : tensor<2x8x2x16xf32>)
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, ((d1 * 16) + d4))>
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d3, (((d1 * 16) + 32) + d4))>
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d1, d5)>
// CHECK: %[[X:.*]] = tensor.expand_shape %[[O]] {{.*}} into tensor<2x8x2x1x16xf32>
// CHECK-NEXT: tensor.collapse_shape %[[X]] {{.*}} into tensor<2x8x32xf32>
// CHECK-NOT: linalg.generic
// CHECK: return
#id = affine_map<(a, b, c, d) -> (a, b, c, d)>
#swap = affine_map<(a, b, c, d) -> (a, c, b, d)>
#id3 = affine_map<(a, b, c) -> (a, b, c)>
func.func @moves_around_attention(%z: tensor<2x8x64xf32>) -> tensor<2x8x32xf32> {
  %e3 = tensor.empty() : tensor<2x8x32xf32>
  %e4 = tensor.empty() : tensor<2x2x8x16xf32>
  %e5 = tensor.empty() : tensor<2x8x2x16xf32>
  %q0 = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%z : tensor<2x8x64xf32>) outs(%e3 : tensor<2x8x32xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<2x8x32xf32>
  %k0 = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c + 32)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%z : tensor<2x8x64xf32>) outs(%e3 : tensor<2x8x32xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<2x8x32xf32>
  %q1 = tensor.expand_shape %q0 [[0], [1], [2, 3]] output_shape [2, 8, 2, 16] : tensor<2x8x32xf32> into tensor<2x8x2x16xf32>
  %k1 = tensor.expand_shape %k0 [[0], [1], [2, 3]] output_shape [2, 8, 2, 16] : tensor<2x8x32xf32> into tensor<2x8x2x16xf32>
  %q = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%q1 : tensor<2x8x2x16xf32>) outs(%e4 : tensor<2x2x8x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<2x2x8x16xf32>
  %k = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%k1 : tensor<2x8x2x16xf32>) outs(%e4 : tensor<2x2x8x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<2x2x8x16xf32>
  %o = structured.attention ins(%q, %k, %k : tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>, tensor<2x2x8x16xf32>) outs(%e4 : tensor<2x2x8x16xf32>) {
    sizes = array<i64: 2, 2, 8, 8, 16, 16>,
    indexing_maps = [affine_map<(b, h, q, k, d, c) -> (b, h, q, d)>, affine_map<(b, h, q, k, d, c) -> (b, h, k, d)>,
                     affine_map<(b, h, q, k, d, c) -> (b, h, k, c)>, affine_map<(b, h, q, k, d, c) -> (b, h, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x2x8x16xf32>
  %o1 = tensor.expand_shape %o [[0], [1], [2, 3], [4]] output_shape [2, 2, 8, 1, 16] : tensor<2x2x8x16xf32> into tensor<2x2x8x1x16xf32>
  %e6 = tensor.empty() : tensor<2x8x2x1x16xf32>
  %o2 = linalg.generic {indexing_maps = [affine_map<(a, b, c, u, d) -> (a, c, b, u, d)>, affine_map<(a, b, c, u, d) -> (a, b, c, u, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%o1 : tensor<2x2x8x1x16xf32>) outs(%e6 : tensor<2x8x2x1x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<2x8x2x1x16xf32>
  %o3 = tensor.collapse_shape %o2 [[0], [1], [2, 3, 4]] : tensor<2x8x2x1x16xf32> into tensor<2x8x32xf32>
  func.return %o3 : tensor<2x8x32xf32>
}

// -----

// So does its gradient: queries, keys and values are slices of one tensor, and gradients are written as they are read.

// CHECK-LABEL: func.func @moves_around_attention_gradient
// CHECK-SAME: (%[[Z:.*]]: tensor<8x2x48xf32>, %[[G:.*]]: tensor<2x8x16xf32>)
// CHECK: %[[O:.*]], %{{.*}}, %{{.*}} = structured.attention_gradient ins(%[[Z]], %[[Z]], %[[Z]], %[[G]] : tensor<8x2x48xf32>, tensor<8x2x48xf32>, tensor<8x2x48xf32>, tensor<2x8x16xf32>) outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<8x2x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>)
// CHECK-SAME: indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d1, d0, d3)>, affine_map<(d0, d1, d2, d3, d4) -> (d2, d0, (d3 + 16))>, affine_map<(d0, d1, d2, d3, d4) -> (d2, d0, (d4 + 32))>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d1, d0, d3)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d4)>]
// CHECK: func.return %[[O]]
func.func @moves_around_attention_gradient(%z: tensor<8x2x48xf32>, %g: tensor<2x8x16xf32>) -> (tensor<8x2x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>) {
  %qs = tensor.extract_slice %z[0, 0, 0] [8, 2, 16] [1, 1, 1] : tensor<8x2x48xf32> to tensor<8x2x16xf32>
  %ks = tensor.extract_slice %z[0, 0, 16] [8, 2, 16] [1, 1, 1] : tensor<8x2x48xf32> to tensor<8x2x16xf32>
  %vs = tensor.extract_slice %z[0, 0, 32] [8, 2, 16] [1, 1, 1] : tensor<8x2x48xf32> to tensor<8x2x16xf32>
  %e0 = tensor.empty() : tensor<2x8x16xf32>
  %e1 = tensor.empty() : tensor<2x8x16xf32>
  %e2 = tensor.empty() : tensor<2x8x16xf32>
  %dq, %dk, %dv = structured.attention_gradient ins(%qs, %ks, %vs, %g : tensor<8x2x16xf32>, tensor<8x2x16xf32>, tensor<8x2x16xf32>, tensor<2x8x16xf32>)
    outs(%e0, %e1, %e2 : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>) {sizes = array<i64: 2, 8, 8, 16, 16>,
    indexing_maps = [affine_map<(b, q, k, d, c) -> (q, b, d)>, affine_map<(b, q, k, d, c) -> (k, b, d)>, affine_map<(b, q, k, d, c) -> (k, b, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>,
                     affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>, affine_map<(b, q, k, d, c) -> (b, k, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  }, {
  ^bb0(%t: f32, %s: f32, %i: index, %j: index):
    structured.yield %t : f32
  } -> (tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>)
  %e3 = tensor.empty() : tensor<8x2x16xf32>
  %turned = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%dq : tensor<2x8x16xf32>) outs(%e3 : tensor<8x2x16xf32>) {
  ^bb0(%x: f32, %u: f32):
    linalg.yield %x : f32
  } -> tensor<8x2x16xf32>
  func.return %turned, %dk, %dv : tensor<8x2x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>
}

// -----

// The result of one query is written as it is read as well: its dim of one element goes first, and is dropped.

// CHECK-LABEL: func.func @result_of_one_query
// CHECK: %[[O:.*]] = structured.attention {{.*}} outs(%{{.*}} : tensor<1x3x2x16xf32>)
// CHECK-SAME: affine_map<(d0, d1, d2, d3, d4, d5) -> (d2, d1, d0, d5)>
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[O]] {{.*}} : tensor<1x3x2x16xf32> into tensor<3x2x16xf32>
// CHECK-NOT: linalg.generic
// CHECK: return %[[C]]
func.func @result_of_one_query(%q: tensor<2x3x16xf32>, %k: tensor<2x3x20x16xf32>) -> tensor<3x2x16xf32> {
  %e = tensor.empty() : tensor<2x3x1x16xf32>
  %o = structured.attention ins(%q, %k, %k : tensor<2x3x16xf32>, tensor<2x3x20x16xf32>, tensor<2x3x20x16xf32>) outs(%e : tensor<2x3x1x16xf32>) {
    sizes = array<i64: 2, 3, 1, 20, 16, 16>,
    indexing_maps = [affine_map<(b, h, q, k, d, c) -> (b, h, d)>, affine_map<(b, h, q, k, d, c) -> (b, h, k, d)>,
                     affine_map<(b, h, q, k, d, c) -> (b, h, k, c)>, affine_map<(b, h, q, k, d, c) -> (b, h, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<2x3x1x16xf32>
  %c = tensor.collapse_shape %o [[0], [1, 2], [3]] : tensor<2x3x1x16xf32> into tensor<2x3x16xf32>
  %f = tensor.empty() : tensor<3x2x16xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (b, a, c)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c : tensor<2x3x16xf32>) outs(%f : tensor<3x2x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  } -> tensor<3x2x16xf32>
  func.return %t : tensor<3x2x16xf32>
}

// -----

// Readers that share no rows would have to fetch the result from memory: what waits for memory computes it again meanwhile.

// CHECK-LABEL: func.func @far_readers
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]}{{.*}}reason = "fuses exp of 4096x4096xf32 into 2 readers, such as addf of 4096xf32: saves 134.2 MB of memory traffic, repeats 16777216 flops", taken = true
// CHECK-NEXT: ^bb0
// CHECK-NEXT: math.exp
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]}
// CHECK-NEXT: ^bb0
// CHECK-NEXT: math.exp
// CHECK-NOT: linalg.generic
builtin.module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}>} {
func.func @far_readers(%x: tensor<4096x4096xf32>) -> (tensor<4096xf32>, tensor<4096xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x4096xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4096x4096xf32>) outs(%e : tensor<4096x4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<4096x4096xf32>
  %f = tensor.empty() : tensor<4096xf32>
  %i = linalg.fill ins(%z : f32) outs(%f : tensor<4096xf32>) -> tensor<4096xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<4096x4096xf32>) outs(%i : tensor<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<4096xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%0 : tensor<4096x4096xf32>) outs(%i : tensor<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<4096xf32>
  func.return %1, %2 : tensor<4096xf32>, tensor<4096xf32>
}
}

// -----

// Readers that do the same rows find it in a cache: it is computed once.

// CHECK-LABEL: func.func @near_readers
// CHECK: math.exp
// CHECK: addf
// CHECK: divf
// CHECK-NOT: math.exp
// CHECK: func.return
func.func @near_readers(%x: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4096x4096xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4096x4096xf32>) outs(%e : tensor<4096x4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<4096x4096xf32>
  %f = tensor.empty() : tensor<4096xf32>
  %i = linalg.fill ins(%z : f32) outs(%f : tensor<4096xf32>) -> tensor<4096xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<4096x4096xf32>) outs(%i : tensor<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<4096xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%0, %1 : tensor<4096x4096xf32>, tensor<4096xf32>) outs(%e : tensor<4096x4096xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.divf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4096x4096xf32>
  func.return %2 : tensor<4096x4096xf32>
}

// -----

// A few numbers that cost much: another kernel for them would take longer than to compute them at each point.

// CHECK-LABEL: func.func @few
// CHECK: math.rsqrt
// CHECK-NEXT: arith.mulf
// CHECK-NOT: linalg.generic
builtin.module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}>} {
func.func @few(%v: tensor<5xf32>, %x: tensor<3x5x4xf32>) -> tensor<3x5x4xf32> {
  %e = tensor.empty() : tensor<5xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%v : tensor<5xf32>) outs(%e : tensor<5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.rsqrt %a : f32
    linalg.yield %r : f32
  } -> tensor<5xf32>
  %f = tensor.empty() : tensor<3x5x4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%0, %x : tensor<5xf32>, tensor<3x5x4xf32>) outs(%f : tensor<3x5x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.mulf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<3x5x4xf32>
  func.return %1 : tensor<3x5x4xf32>
}
}

// -----

// The result is wanted itself, and a reader that has its operand anyway: reading that alone and computing again is less to move.

// CHECK-LABEL: func.func @wanted
// CHECK-SAME: %[[X:[^:]+]]: tensor<8192x4096xf32>
// CHECK: linalg.generic {{.*}} ins(%[[X]] : tensor<8192x4096xf32>)
// CHECK: arith.negf
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]} ins(%[[X]] : tensor<8192x4096xf32>)
// CHECK: arith.negf
func.func @wanted(%x: tensor<8192x4096xf32>) -> (tensor<8192x4096xf32>, tensor<4096xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8192x4096xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8192x4096xf32>) outs(%e : tensor<8192x4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.negf %a : f32
    linalg.yield %r : f32
  } -> tensor<8192x4096xf32>
  %f = tensor.empty() : tensor<4096xf32>
  %i = linalg.fill ins(%z : f32) outs(%f : tensor<4096xf32>) -> tensor<4096xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%0, %x : tensor<8192x4096xf32>, tensor<8192x4096xf32>) outs(%i : tensor<4096xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<4096xf32>
  func.return %0, %1 : tensor<8192x4096xf32>, tensor<4096xf32>
}

// -----

// A product all of whose readers turn its result, as an optimizer's do that of a gradient, writes it turned; not where one of them does not.

// CHECK-LABEL: func.func @turned_by_all
// CHECK: %[[C:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d1, d0)>]
// CHECK: } -> tensor<5x7xf32>
// CHECK: linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%[[C]], %{{.*}} : tensor<5x7xf32>, tensor<5x7xf32>)
// CHECK-LABEL: func.func @turned_by_some
// CHECK: %[[C:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>]
// CHECK: } -> tensor<7x5xf32>
func.func @turned_by_all(%x: tensor<9x7xf32>, %y: tensor<9x5xf32>, %m: tensor<5x7xf32>) -> (tensor<5x7xf32>, tensor<5x7xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = tensor.empty() : tensor<7x5xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%f : tensor<7x5xf32>) -> tensor<7x5xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<9x7xf32>, tensor<9x5xf32>) outs(%0 : tensor<7x5xf32>) {
  ^bb0(%a: f32, %d: f32, %acc: f32):
    %p = arith.mulf %a, %d : f32
    %r = arith.addf %acc, %p : f32
    linalg.yield %r : f32
  } -> tensor<7x5xf32>
  %u = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %m : tensor<7x5xf32>, tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %r = arith.subf %d, %a : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %v = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<7x5xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  func.return %u, %v : tensor<5x7xf32>, tensor<5x7xf32>
}
func.func @turned_by_some(%x: tensor<9x7xf32>, %y: tensor<9x5xf32>, %m: tensor<5x7xf32>) -> (tensor<5x7xf32>, tensor<7x5xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = tensor.empty() : tensor<7x5xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%f : tensor<7x5xf32>) -> tensor<7x5xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<9x7xf32>, tensor<9x5xf32>) outs(%0 : tensor<7x5xf32>) {
  ^bb0(%a: f32, %d: f32, %acc: f32):
    %p = arith.mulf %a, %d : f32
    %r = arith.addf %acc, %p : f32
    linalg.yield %r : f32
  } -> tensor<7x5xf32>
  %u = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %m : tensor<7x5xf32>, tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %r = arith.subf %d, %a : f32
    linalg.yield %r : f32
  } -> tensor<5x7xf32>
  %v = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<7x5xf32>) outs(%f : tensor<7x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<7x5xf32>
  func.return %u, %v : tensor<5x7xf32>, tensor<7x5xf32>
}
