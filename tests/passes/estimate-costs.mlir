// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(estimate-costs)' | filecheck %s

// A product: two flops a term, each of them half of a multiply-add; operands are read once however often they are used.
// CHECK-LABEL: kernel.func @product
// CHECK-SAME: kernel.cost = {bytes_read = 432 : i64, bytes_written = 320 : i64, element = "f32", flops = 960 : i64, integer_ops = 0 : i64, work = 960 : i64}
kernel.func @product(%a: tensor<8x6xf32>, %b: tensor<6x10xf32>, %out: tensor<8x10xf32>) -> tensor<8x10xf32>
    attributes {access = ["read", "read", "write"]} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%out : tensor<8x10xf32>) -> tensor<8x10xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<8x6xf32>, tensor<6x10xf32>) outs(%f : tensor<8x10xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<8x10xf32>
  kernel.return %r : tensor<8x10xf32>
}

// -----

// Only what is reached is read: every second element of a slice; integers are no flops.
// CHECK-LABEL: kernel.func @strided
// CHECK-SAME: kernel.cost = {bytes_read = 40 : i64, bytes_written = 40 : i64, element = "", flops = 0 : i64, integer_ops = 10 : i64, work = 20 : i64}
kernel.func @strided(%a: tensor<64xi32>, %out: tensor<10xi32>) -> tensor<10xi32> attributes {access = ["read", "write"]} {
  %e = tensor.empty() : tensor<10xi32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i * 2 + 1)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<64xi32>) outs(%e : tensor<10xi32>) {
  ^bb0(%x: i32, %o: i32):
    %t = arith.addi %x, %x : i32
    linalg.yield %t : i32
  } -> tensor<10xi32>
  kernel.return %r : tensor<10xi32>
}

// -----

// A gather reads as many elements as it has points, not the table.
// CHECK-LABEL: kernel.func @gather
// CHECK-SAME: bytes_read = 144 : i64, bytes_written = 128 : i64
kernel.func @gather(%table: tensor<1000x8xf32>, %rows: tensor<4xi32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {access = ["read", "read", "write"]} {
  %e = tensor.empty() : tensor<4x8xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<4xi32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%i: i32, %o: f32):
    %row = arith.index_cast %i : i32 to index
    %col = linalg.index 1 : index
    %x = tensor.extract %table[%row, %col] : tensor<1000x8xf32>
    linalg.yield %x : f32
  } -> tensor<4x8xf32>
  kernel.return %r : tensor<4x8xf32>
}

// -----

// An update in place writes its part.
// CHECK-LABEL: kernel.func @update
// CHECK-SAME: bytes_read = 16 : i64, bytes_written = 16 : i64
kernel.func @update(%part: tensor<4xf32>, %out: tensor<1000xf32>) -> tensor<1000xf32>
    attributes {access = ["read", "readwrite"]} {
  %r = tensor.insert_slice %part into %out[8] [4] [1] : tensor<4xf32> into tensor<1000xf32>
  kernel.return %r : tensor<1000xf32>
}

// -----

// An exponential is one flop, and the work of twelve multiply-adds.
// CHECK-LABEL: kernel.func @exponential
// CHECK-SAME: element = "f64", flops = 5 : i64, integer_ops = 0 : i64, work = 120 : i64
kernel.func @exponential(%a: tensor<5xf64>, %out: tensor<5xf64>) -> tensor<5xf64> attributes {access = ["read", "write"]} {
  %e = tensor.empty() : tensor<5xf64>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<5xf64>) outs(%e : tensor<5xf64>) {
  ^bb0(%x: f64, %o: f64):
    %t = math.exp %x : f64
    linalg.yield %t : f64
  } -> tensor<5xf64>
  kernel.return %r : tensor<5xf64>
}

// -----

// Sorting compares each element with log2 of the line's length.
// CHECK-LABEL: kernel.func @sort
// CHECK-SAME: bytes_read = 64 : i64, bytes_written = 64 : i64, element = "", flops = 0 : i64, integer_ops = 64 : i64
kernel.func @sort(%out: tensor<16xf32>) -> tensor<16xf32> attributes {access = ["readwrite"]} {
  %r = structured.sort outs(%out : tensor<16xf32>) {dimension = 0 : i64} {
  ^bb0(%x: f32, %y: f32):
    %c = arith.cmpf olt, %x, %y : f32
    structured.yield %c : i1
  } -> tensor<16xf32>
  kernel.return %r : tensor<16xf32>
}

// -----

// Attention: two products of 8 for each of 3 x 4 x 5 scores and what softmax does; half of them if it is causal, here all. Keys and values are read
// as far as the maps reach.
// CHECK-LABEL: kernel.func @attention
// CHECK-SAME: bytes_read = 1344 : i64, bytes_written = 384 : i64, element = "f32", flops = 2160 : i64
kernel.func @attention(%q: tensor<3x4x8xf32>, %kv: tensor<3x20x8xf32>, %out: tensor<3x4x8xf32>) -> tensor<3x4x8xf32>
    attributes {access = ["read", "read", "write"]} {
  %e = tensor.empty() : tensor<3x4x8xf32>
  %o = structured.attention ins(%q, %kv, %kv : tensor<3x4x8xf32>, tensor<3x20x8xf32>, tensor<3x20x8xf32>)
      outs(%e : tensor<3x4x8xf32>) {sizes = array<i64: 3, 4, 5, 8, 8>,
      indexing_maps = [affine_map<(b, q, k, d, c) -> (b, q, d)>, affine_map<(b, q, k, d, c) -> (b, k, d)>,
                       affine_map<(b, q, k, d, c) -> (b, k + 5, c)>, affine_map<(b, q, k, d, c) -> (b, q, c)>]} {
  ^bb0(%s: f32, %i: index, %j: index):
    structured.yield %s : f32
  } -> tensor<3x4x8xf32>
  kernel.return %o : tensor<3x4x8xf32>
}

// -----

// Winograd's transforms: 4 sums and 6 products for each of 7 columns and rows of 6 windows; 4 sums for each of 6 (two columns of a tile are its
// neighbour's) of 12 tiles; and of 12 tiles of products.
// CHECK-LABEL: kernel.func @winograd_filter
// CHECK-SAME: bytes_read = 216 : i64, bytes_written = 384 : i64, element = "f32", flops = 420 : i64
kernel.func @winograd_filter(%w: tensor<3x3x2x3xf32>, %out: tensor<16x2x3xf32>) -> tensor<16x2x3xf32> attributes {access = ["read", "write"]} {
  %u = structured.winograd_filter ins(%w : tensor<3x3x2x3xf32>) outs(%out : tensor<16x2x3xf32>) {tile = 2 : i64} -> tensor<16x2x3xf32>
  kernel.return %u : tensor<16x2x3xf32>
}

// CHECK-LABEL: kernel.func @winograd_input
// CHECK-SAME: bytes_read = 192 : i64, bytes_written = 768 : i64, element = "f32", flops = 288 : i64
kernel.func @winograd_input(%x: tensor<1x4x4x3xf32>, %out: tensor<16x4x3xf32>) -> tensor<16x4x3xf32> attributes {access = ["read", "write"]} {
  %v = structured.winograd_input ins(%x : tensor<1x4x4x3xf32>) outs(%out : tensor<16x4x3xf32>) {tiles = array<i64: 2, 2>, low = array<i64: 1, 1>, tile = 2 : i64} -> tensor<16x4x3xf32>
  kernel.return %v : tensor<16x4x3xf32>
}

// CHECK-LABEL: kernel.func @winograd_output
// CHECK-SAME: bytes_read = 768 : i64, bytes_written = 192 : i64, element = "f32", flops = 288 : i64
kernel.func @winograd_output(%p: tensor<16x4x3xf32>, %out: tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32> attributes {access = ["read", "write"]} {
  %y = structured.winograd_output ins(%p : tensor<16x4x3xf32>) outs(%out : tensor<1x4x4x3xf32>) {tile = 2 : i64} -> tensor<1x4x4x3xf32>
  kernel.return %y : tensor<1x4x4x3xf32>
}
