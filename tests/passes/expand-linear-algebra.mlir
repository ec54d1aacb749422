// RUN: stepwell-opt %s -p expand-linear-algebra --split-input-file | filecheck %s

// One block: the columns one after the other, no product.
// CHECK-LABEL: func.func @one_block
func.func @one_block(%a: tensor<8x8xf32>) -> tensor<8x8xf32> {
  // CHECK-NOT: stablehlo.cholesky
  // CHECK-NOT: stablehlo.dot_general
  // CHECK: stablehlo.while
  // CHECK: stablehlo.sqrt
  // CHECK-NOT: stablehlo.while
  // CHECK: func.return
  %r = stablehlo.cholesky %a, lower = true : tensor<8x8xf32>
  return %r : tensor<8x8xf32>
}

// -----

// Many blocks: a loop over them, what the columns before take from a block as one product, then its own columns.
// CHECK-LABEL: func.func @blocks
func.func @blocks(%a: tensor<500x500xf32>) -> tensor<500x500xf32> {
  // CHECK: stablehlo.pad
  // CHECK: stablehlo.while
  // CHECK: stablehlo.dot_general {{.*}} (tensor<1x512x512xf32>, tensor<1x32x512xf32>) -> tensor<1x512x32xf32>
  // CHECK: stablehlo.while
  // CHECK-NOT: stablehlo.while
  // CHECK: stablehlo.dynamic_update_slice
  // CHECK: stablehlo.slice {{.*}} [0:1, 0:500, 0:500]
  // CHECK: func.return
  %r = stablehlo.cholesky %a, lower = true : tensor<500x500xf32>
  return %r : tensor<500x500xf32>
}

// -----

// The upper factor is that of the conjugate transpose; f16 is computed in f32.
// CHECK-LABEL: func.func @upper
func.func @upper(%a: tensor<3x2x2xf16>) -> tensor<3x2x2xf16> {
  // CHECK: %[[WIDE:.*]] = stablehlo.convert {{.*}} (tensor<3x2x2xf16>) -> tensor<3x2x2xf32>
  // CHECK: stablehlo.transpose %[[WIDE]], dims = [0, 2, 1]
  // CHECK: stablehlo.while
  // CHECK: stablehlo.transpose
  // CHECK: stablehlo.convert {{.*}} -> tensor<3x2x2xf16>
  %r = stablehlo.cholesky %a, lower = false : tensor<3x2x2xf16>
  return %r : tensor<3x2x2xf16>
}

// -----

// CHECK-LABEL: func.func @empty
// CHECK-SAME: %[[A:.*]]: tensor<0x0xf32>
func.func @empty(%a: tensor<0x0xf32>) -> tensor<0x0xf32> {
  // CHECK-NEXT: func.return %[[A]]
  %r = stablehlo.cholesky %a, lower = true : tensor<0x0xf32>
  return %r : tensor<0x0xf32>
}

// -----

// Only what is below the diagonal and the diagonal are read; the solved row is taken from those after it.
// CHECK-LABEL: func.func @solve_left_lower
// CHECK-SAME: %[[A:.*]]: tensor<4x4xf32>
func.func @solve_left_lower(%a: tensor<4x4xf32>, %b: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // CHECK: %[[M:.*]] = stablehlo.reshape %[[A]]
  // CHECK: %[[BELOW:.*]] = stablehlo.compare GT
  // CHECK: stablehlo.select %[[BELOW]], %[[M]]
  // CHECK: stablehlo.slice {{.*}} [0:1, 0:16:5]
  // CHECK: stablehlo.while
  // CHECK: stablehlo.divide
  // CHECK: stablehlo.compare GT
  // CHECK-NOT: stablehlo.triangular_solve
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false,
    transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<4x4xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  return %r : tensor<4x2xf32>
}

// -----

// The diagonal is not even read when it is ones; x a^T = b is a x^T = b^T.
// CHECK-LABEL: func.func @solve_right_unit
func.func @solve_right_unit(%a: tensor<4x4xf32>, %b: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // CHECK: stablehlo.transpose {{.*}} (tensor<1x2x4xf32>) -> tensor<1x4x2xf32>
  // CHECK: stablehlo.compare LT
  // CHECK-NOT: stablehlo.divide
  // CHECK: stablehlo.transpose {{.*}} (tensor<1x4x2xf32>) -> tensor<1x2x4xf32>
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = false, lower = false, unit_diagonal = true,
    transpose_a = #stablehlo<transpose TRANSPOSE>}> : (tensor<4x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}
