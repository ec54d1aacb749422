// RUN: stepwell-opt %s --split-input-file --pass-pipeline="builtin.module(merge-contraction-dims)" | filecheck %s

// A point-by-point convolution is a product of matrices for each image; its bias and the addition go with it.
// CHECK-LABEL: func.func @pointwise
// CHECK:       linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-SAME:    iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK-SAME:    ins(%{{.*}}, %{{.*}} : tensor<2x3x20xf32>, tensor<6x3xf32>)
// CHECK:       linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK:       %[[E:.*]] = tensor.expand_shape %{{.*}} {{.*}} : tensor<2x6x20xf32> into tensor<2x6x4x5xf32>
// CHECK:       func.return %[[E]]
func.func @pointwise(%x: tensor<2x3x4x5xf32>, %w: tensor<6x3x1x1xf32>, %b: tensor<6xf32>) -> tensor<2x6x4x5xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x4x5xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<2x6x4x5xf32>) -> tensor<2x6x4x5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, f, i, j, k) -> (n, k, i, j)>, affine_map<(n, f, i, j, k) -> (f, k, 0, 0)>, affine_map<(n, f, i, j, k) -> (n, f, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) outs(%z : tensor<2x6x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x6x4x5xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, f, i, j) -> (n, f, i, j)>, affine_map<(n, f, i, j) -> (f)>, affine_map<(n, f, i, j) -> (n, f, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y, %b : tensor<2x6x4x5xf32>, tensor<6xf32>) outs(%e : tensor<2x6x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<2x6x4x5xf32>
  return %r : tensor<2x6x4x5xf32>
}

// -----

// Rows and columns of an image stay apart where the epilogue reads something turned.
// CHECK-LABEL: func.func @turned
// CHECK-NOT:   tensor.collapse_shape
// CHECK:       func.return
func.func @turned(%x: tensor<2x3x4x5xf32>, %w: tensor<6x3xf32>, %b: tensor<5x4xf32>) -> tensor<2x6x4x5xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x4x5xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<2x6x4x5xf32>) -> tensor<2x6x4x5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, f, i, j, k) -> (n, k, i, j)>, affine_map<(n, f, i, j, k) -> (f, k)>, affine_map<(n, f, i, j, k) -> (n, f, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x3x4x5xf32>, tensor<6x3xf32>) outs(%z : tensor<2x6x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x6x4x5xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(n, f, i, j) -> (n, f, i, j)>, affine_map<(n, f, i, j) -> (j, i)>, affine_map<(n, f, i, j) -> (n, f, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y, %b : tensor<2x6x4x5xf32>, tensor<5x4xf32>) outs(%e : tensor<2x6x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<2x6x4x5xf32>
  return %r : tensor<2x6x4x5xf32>
}

// -----

// Batches of two dims are one, sums over two dims one sum, and a row of one is no dim.
// CHECK-LABEL: func.func @batches
// CHECK:       linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-SAME:    ins(%{{.*}}, %{{.*}} : tensor<6x20xf32>, tensor<6x7x20xf32>)
// CHECK:       tensor.expand_shape {{.*}} : tensor<6x7xf32> into tensor<2x3x1x7xf32>
func.func @batches(%x: tensor<2x3x1x4x5xf32>, %w: tensor<2x3x7x4x5xf32>) -> tensor<2x3x1x7xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x1x7xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<2x3x1x7xf32>) -> tensor<2x3x1x7xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, m, n, k, l) -> (a, b, m, k, l)>, affine_map<(a, b, m, n, k, l) -> (a, b, n, k, l)>, affine_map<(a, b, m, n, k, l) -> (a, b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : tensor<2x3x1x4x5xf32>, tensor<2x3x7x4x5xf32>) outs(%z : tensor<2x3x1x7xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x3x1x7xf32>
  return %y : tensor<2x3x1x7xf32>
}

// -----

// The exponentials of a softmax wait for the maxima of the scores: they are no epilogue and stay with the rows.
// CHECK-LABEL: func.func @softmax
// CHECK:       %[[S:.*]] = tensor.expand_shape
// CHECK:       %[[M:.*]] = linalg.generic {{.*}} ins(%[[S]] : tensor<2x3x4x5xf32>)
// CHECK:       linalg.generic {{.*}} ins(%[[S]], %[[M]] : tensor<2x3x4x5xf32>, tensor<2x3x4xf32>)
func.func @softmax(%x: tensor<2x3x4x8xf32>, %w: tensor<2x3x5x8xf32>) -> tensor<2x3x4x5xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x4x5xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<2x3x4x5xf32>) -> tensor<2x3x4x5xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, m, n, k) -> (a, b, m, k)>, affine_map<(a, b, m, n, k) -> (a, b, n, k)>, affine_map<(a, b, m, n, k) -> (a, b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x3x4x8xf32>, tensor<2x3x5x8xf32>) outs(%z : tensor<2x3x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x3x4x5xf32>
  %low = arith.constant 0xFF800000 : f32
  %me = tensor.empty() : tensor<2x3x4xf32>
  %mz = linalg.fill ins(%low : f32) outs(%me : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %max = linalg.generic {indexing_maps = [affine_map<(a, b, m, n) -> (a, b, m, n)>, affine_map<(a, b, m, n) -> (a, b, m)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%y : tensor<2x3x4x5xf32>) outs(%mz : tensor<2x3x4xf32>) {
  ^bb0(%p: f32, %o: f32):
    %m = arith.maximumf %o, %p : f32
    linalg.yield %m : f32
  } -> tensor<2x3x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b, m, n) -> (a, b, m, n)>, affine_map<(a, b, m, n) -> (a, b, m)>, affine_map<(a, b, m, n) -> (a, b, m, n)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%y, %max : tensor<2x3x4x5xf32>, tensor<2x3x4xf32>) outs(%e : tensor<2x3x4x5xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %d = arith.subf %p, %q : f32
    %s = math.exp %d : f32
    linalg.yield %s : f32
  } -> tensor<2x3x4x5xf32>
  return %r : tensor<2x3x4x5xf32>
}

// -----

// The few taps of a weight's gradient are no rows: the product has its channels last, and a map turns it back.
// CHECK-LABEL: func.func @gradient
// CHECK:       %[[P:.*]] = linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2, d3, d4) -> (d2, d1, d0)>
// CHECK-SAME:    outs(%{{.*}} : tensor<3x20x24xf32>)
// CHECK:       linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2) -> (d2, d1, d0)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-SAME:    outs(%{{.*}} : tensor<24x20x3xf32>)
func.func @gradient(%x: tensor<4x20x18xf32>, %y: tensor<4x24x16xf32>) -> tensor<24x20x3xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<24x20x3xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<24x20x3xf32>) -> tensor<24x20x3xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(f, c, t, n, i) -> (n, c, i + t)>, affine_map<(f, c, t, n, i) -> (n, f, i)>, affine_map<(f, c, t, n, i) -> (f, c, t)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %y : tensor<4x20x18xf32>, tensor<4x24x16xf32>) outs(%z : tensor<24x20x3xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<24x20x3xf32>
  return %w : tensor<24x20x3xf32>
}

// -----

// Lines of four points by five images are twenty rows; the image is turned before a border is put around it, the result back.
// CHECK-LABEL: func.func @short_lines
// CHECK-SAME:  (%[[X:.*]]: tensor<5x32x4xf32>, %[[W:.*]]: tensor<16x32x3xf32>)
// CHECK:       %[[T:.*]] = linalg.generic {{.*}}affine_map<(d0, d1, d2) -> (d2, d0, d1)>{{.*}} ins(%[[X]] : tensor<5x32x4xf32>) outs(%{{.*}} : tensor<32x4x5xf32>)
// CHECK:       %[[F:.*]] = tensor.collapse_shape %[[T]] {{.*}} : tensor<32x4x5xf32> into tensor<32x20xf32>
// CHECK:       %[[B:.*]] = tensor.insert_slice %[[F]] into %{{.*}}[0, 5] [32, 20] [1, 1] : tensor<32x20xf32> into tensor<32x30xf32>
// CHECK:       %[[Y:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d2, (d1 + (d3 * 5)))>, affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d1, d0)>]{{.*}} ins(%[[B]], %[[W]] : tensor<32x30xf32>, tensor<16x32x3xf32>) outs(%{{.*}} : tensor<20x16xf32>)
// CHECK:       %[[E:.*]] = tensor.expand_shape %[[Y]] {{.*}} : tensor<20x16xf32> into tensor<4x5x16xf32>
// CHECK:       %[[R:.*]] = linalg.generic {{.*}}affine_map<(d0, d1, d2) -> (d2, d0, d1)>{{.*}} ins(%[[E]] : tensor<4x5x16xf32>) outs(%{{.*}} : tensor<5x16x4xf32>)
// CHECK:       func.return %[[R]]
func.func @short_lines(%x: tensor<5x32x4xf32>, %w: tensor<16x32x3xf32>) -> tensor<5x16x4xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x32x6xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<5x32x6xf32>) -> tensor<5x32x6xf32>
  %p = tensor.insert_slice %x into %z[0, 0, 1] [5, 32, 4] [1, 1, 1] : tensor<5x32x4xf32> into tensor<5x32x6xf32>
  %f = tensor.empty() : tensor<5x16x4xf32>
  %o = linalg.fill ins(%c : f32) outs(%f : tensor<5x16x4xf32>) -> tensor<5x16x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(b, n, j, c, l) -> (b, c, j + l)>, affine_map<(b, n, j, c, l) -> (n, c, l)>, affine_map<(b, n, j, c, l) -> (b, n, j)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%p, %w : tensor<5x32x6xf32>, tensor<16x32x3xf32>) outs(%o : tensor<5x16x4xf32>) {
  ^bb0(%a: f32, %q: f32, %s: f32):
    %m = arith.mulf %a, %q : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<5x16x4xf32>
  return %y : tensor<5x16x4xf32>
}

// -----

// Few channels a group, last: the image is turned before its border is put around it, and the result turned back.
// CHECK-LABEL: func.func @groups
// CHECK:       %[[X:.*]] = linalg.generic {{.*}}(d0, d3, d4, d1, d2){{.*}}ins(%x : tensor<2x5x15x3x4xf32>) outs(%{{.*}} : tensor<2x3x4x5x15xf32>)
// CHECK:       tensor.insert_slice %[[X]] into %{{.*}}[0, 0, 0, 1, 1] [2, 3, 4, 5, 15] {{.*}} into tensor<2x3x4x7x17xf32>
// CHECK:       linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d3, d5, (d1 + d6), (d2 + d7))>, affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d6, d7, d5, d3, d4)>, affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d3, d4, d1, d2)>
// CHECK:       %[[Y:.*]] = linalg.generic {{.*}}(d0, d3, d4, d1, d2){{.*}}outs(%{{.*}} : tensor<2x5x15x3x4xf32>)
// CHECK:       func.return %[[Y]]
func.func @groups(%x: tensor<2x5x15x3x4xf32>, %w: tensor<3x3x4x3x4xf32>) -> tensor<2x5x15x3x4xf32> {
  %c = arith.constant 0.0 : f32
  %p = tensor.empty() : tensor<2x7x17x3x4xf32>
  %q = linalg.fill ins(%c : f32) outs(%p : tensor<2x7x17x3x4xf32>) -> tensor<2x7x17x3x4xf32>
  %i = tensor.insert_slice %x into %q[0, 1, 1, 0, 0] [2, 5, 15, 3, 4] [1, 1, 1, 1, 1] : tensor<2x5x15x3x4xf32> into tensor<2x7x17x3x4xf32>
  %e = tensor.empty() : tensor<2x5x15x3x4xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<2x5x15x3x4xf32>) -> tensor<2x5x15x3x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(b, h, w, g, f, c, k, l) -> (b, h + k, w + l, g, c)>, affine_map<(b, h, w, g, f, c, k, l) -> (k, l, c, g, f)>, affine_map<(b, h, w, g, f, c, k, l) -> (b, h, w, g, f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%i, %w : tensor<2x7x17x3x4xf32>, tensor<3x3x4x3x4xf32>) outs(%z : tensor<2x5x15x3x4xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %m = arith.mulf %a, %d : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x5x15x3x4xf32>
  return %y : tensor<2x5x15x3x4xf32>
}

// -----

// Groups of four features, last, on a machine with vectors of sixteen: they are lanes, and find their channels by their group.
// CHECK-LABEL: func.func @lanes
// CHECK:       %[[X:.*]] = tensor.collapse_shape %x {{.*}} : tensor<2x5x15x8x4xf32> into tensor<2x5x15x32xf32>
// CHECK:       %[[P:.*]] = tensor.insert_slice %[[X]] into %{{.*}}[0, 1, 1, 0] [2, 5, 15, 32] {{.*}} into tensor<2x7x17x32xf32>
// CHECK:       %[[W:.*]] = tensor.collapse_shape %{{.*}} : tensor<3x3x4x8x4xf32> into tensor<3x3x4x32xf32>
// CHECK:       linalg.generic
// CHECK-SAME:    affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, (d1 + d5), (d2 + d6), (d4 + ((d3 floordiv 4) * 4)))>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d5, d6, d4, d3)>
// CHECK-SAME:    ins(%[[P]], %[[W]] :
// CHECK:       tensor.expand_shape %{{.*}} : tensor<2x5x15x32xf32> into tensor<2x5x15x8x4xf32>
module attributes {stepwell.target = #stepwell.target<{arch = "x86_64", level = "avx512", vector_bits = 512 : i64, cores = 2 : i64}>} {
  func.func @lanes(%x: tensor<2x5x15x8x4xf32>, %v: tensor<8x4x3x3x4xf32>) -> tensor<2x5x15x8x4xf32> {
    %c = arith.constant 0.0 : f32
    %p = tensor.empty() : tensor<2x7x17x8x4xf32>
    %q = linalg.fill ins(%c : f32) outs(%p : tensor<2x7x17x8x4xf32>) -> tensor<2x7x17x8x4xf32>
    %i = tensor.insert_slice %x into %q[0, 1, 1, 0, 0] [2, 5, 15, 8, 4] [1, 1, 1, 1, 1] : tensor<2x5x15x8x4xf32> into tensor<2x7x17x8x4xf32>
    %e = tensor.empty() : tensor<2x5x15x8x4xf32>
    %z = linalg.fill ins(%c : f32) outs(%e : tensor<2x5x15x8x4xf32>) -> tensor<2x5x15x8x4xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(b, h, w, g, f, c, k, l) -> (b, h + k, w + l, g, c)>, affine_map<(b, h, w, g, f, c, k, l) -> (g, f, k, l, c)>, affine_map<(b, h, w, g, f, c, k, l) -> (b, h, w, g, f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%i, %v : tensor<2x7x17x8x4xf32>, tensor<8x4x3x3x4xf32>) outs(%z : tensor<2x5x15x8x4xf32>) {
    ^bb0(%a: f32, %d: f32, %o: f32):
      %m = arith.mulf %a, %d : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<2x5x15x8x4xf32>
    return %y : tensor<2x5x15x8x4xf32>
  }
}
