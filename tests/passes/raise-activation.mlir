// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(raise-activation)' | filecheck %s

// By tanh, as JAX writes it.

// CHECK-LABEL: func.func @gelu_tanh
// CHECK-SAME: (%[[X:.*]]: tensor<64x96xf32>)
// CHECK-NEXT: %[[Y:.*]] = stablehlo.composite "stepwell.gelu_tanh" %[[X]] {decomposition = @gelu_tanh_1}
// CHECK-NEXT: func.return %[[Y]]
func.func @gelu_tanh(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<4.471500e-02> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.797884583> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %cst_3 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
  %0 = stablehlo.multiply %arg0, %arg0 : tensor<64x96xf32>
  %1 = stablehlo.multiply %0, %arg0 : tensor<64x96xf32>
  %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %3 = stablehlo.multiply %2, %1 : tensor<64x96xf32>
  %4 = stablehlo.add %arg0, %3 : tensor<64x96xf32>
  %5 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %6 = stablehlo.multiply %5, %4 : tensor<64x96xf32>
  %7 = stablehlo.tanh %6 : tensor<64x96xf32>
  %8 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %9 = stablehlo.add %8, %7 : tensor<64x96xf32>
  %10 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %11 = stablehlo.multiply %10, %9 : tensor<64x96xf32>
  %12 = stablehlo.multiply %arg0, %11 : tensor<64x96xf32>
  func.return %12 : tensor<64x96xf32>
}

// -----

// Exact, by the complement of erf.

// CHECK-LABEL: func.func @gelu_erf
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.gelu" %
// CHECK-NEXT: func.return %[[Y]]
func.func @gelu_erf(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<5.000000e-01> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.707106769> : tensor<f32>
  %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %1 = stablehlo.multiply %0, %arg0 : tensor<64x96xf32>
  %2 = stablehlo.negate %arg0 : tensor<64x96xf32>
  %3 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %4 = stablehlo.multiply %2, %3 : tensor<64x96xf32>
  %5 = chlo.erfc %4 : tensor<64x96xf32> -> tensor<64x96xf32>
  %6 = stablehlo.multiply %1, %5 : tensor<64x96xf32>
  func.return %6 : tensor<64x96xf32>
}

// -----

// Exact, as torch decomposes it.

// CHECK-LABEL: func.func @torch_gelu
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.gelu" %
// CHECK-NEXT: func.return %[[Y]]
func.func @torch_gelu(%x: tensor<8x24xf32>) -> tensor<8x24xf32> {
  %half = stablehlo.constant dense<0.5> : tensor<8x24xf32>
  %root = stablehlo.constant dense<0.70710678118654757> : tensor<8x24xf32>
  %one = stablehlo.constant dense<1.0> : tensor<8x24xf32>
  %0 = stablehlo.multiply %x, %half : tensor<8x24xf32>
  %1 = stablehlo.multiply %x, %root : tensor<8x24xf32>
  %2 = chlo.erf %1 : tensor<8x24xf32> -> tensor<8x24xf32>
  %3 = stablehlo.add %2, %one : tensor<8x24xf32>
  %4 = stablehlo.multiply %0, %3 : tensor<8x24xf32>
  func.return %4 : tensor<8x24xf32>
}

// -----

// The sigmoid spelled out.

// CHECK-LABEL: func.func @silu
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.silu" %
// CHECK-NEXT: func.return %[[Y]]
func.func @silu(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %0 = stablehlo.negate %arg0 : tensor<64x96xf32>
  %1 = stablehlo.exponential %0 : tensor<64x96xf32>
  %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %3 = stablehlo.add %2, %1 : tensor<64x96xf32>
  %4 = stablehlo.divide %2, %3 : tensor<64x96xf32>
  %5 = stablehlo.multiply %arg0, %4 : tensor<64x96xf32>
  func.return %5 : tensor<64x96xf32>
}

// -----

// The sigmoid as an op, the factors the other way round.

// CHECK-LABEL: func.func @logistic
// CHECK: %[[Y:.*]] = stablehlo.composite "stepwell.silu" %
// CHECK-NEXT: func.return %[[Y]]
func.func @logistic(%x: tensor<8x24xf32>) -> tensor<8x24xf32> {
  %0 = stablehlo.logistic %x : tensor<8x24xf32>
  %1 = stablehlo.multiply %0, %x : tensor<8x24xf32>
  func.return %1 : tensor<8x24xf32>
}

// -----

// Another cubic term.

// CHECK-LABEL: func.func @another_cube
// CHECK-NOT: composite
// CHECK: func.return
func.func @another_cube(%arg0: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<4.000000e-02> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.797884583> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %cst_3 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
  %0 = stablehlo.multiply %arg0, %arg0 : tensor<64x96xf32>
  %1 = stablehlo.multiply %0, %arg0 : tensor<64x96xf32>
  %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %3 = stablehlo.multiply %2, %1 : tensor<64x96xf32>
  %4 = stablehlo.add %arg0, %3 : tensor<64x96xf32>
  %5 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %6 = stablehlo.multiply %5, %4 : tensor<64x96xf32>
  %7 = stablehlo.tanh %6 : tensor<64x96xf32>
  %8 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %9 = stablehlo.add %8, %7 : tensor<64x96xf32>
  %10 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %11 = stablehlo.multiply %10, %9 : tensor<64x96xf32>
  %12 = stablehlo.multiply %arg0, %11 : tensor<64x96xf32>
  func.return %12 : tensor<64x96xf32>
}

// -----

// The tanh is of something else than what it weighs.

// CHECK-LABEL: func.func @another_argument
// CHECK-NOT: composite
// CHECK: func.return
func.func @another_argument(%arg0: tensor<64x96xf32>, %y: tensor<64x96xf32>) -> tensor<64x96xf32> {
  %cst = stablehlo.constant dense<4.471500e-02> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.797884583> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %cst_3 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
  %0 = stablehlo.multiply %arg0, %arg0 : tensor<64x96xf32>
  %1 = stablehlo.multiply %0, %arg0 : tensor<64x96xf32>
  %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %3 = stablehlo.multiply %2, %1 : tensor<64x96xf32>
  %4 = stablehlo.add %arg0, %3 : tensor<64x96xf32>
  %5 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %6 = stablehlo.multiply %5, %4 : tensor<64x96xf32>
  %7 = stablehlo.tanh %6 : tensor<64x96xf32>
  %8 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %9 = stablehlo.add %8, %7 : tensor<64x96xf32>
  %10 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %11 = stablehlo.multiply %10, %9 : tensor<64x96xf32>
  %12 = stablehlo.multiply %y, %11 : tensor<64x96xf32>
  func.return %12 : tensor<64x96xf32>
}

// -----

// A gradient that reads tanh: it is a result as well.

// CHECK-LABEL: func.func @with_tanh
// CHECK: %[[Y:.*]], %[[T:.*]] = stablehlo.composite "stepwell.gelu_tanh"
// CHECK-NEXT: func.return %[[Y]], %[[T]]
func.func @with_tanh(%arg0: tensor<64x96xf32>) -> (tensor<64x96xf32>, tensor<64x96xf32>) {
  %cst = stablehlo.constant dense<4.471500e-02> : tensor<f32>
  %cst_1 = stablehlo.constant dense<0.797884583> : tensor<f32>
  %cst_2 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
  %cst_3 = stablehlo.constant dense<5.000000e-01> : tensor<f32>
  %0 = stablehlo.multiply %arg0, %arg0 : tensor<64x96xf32>
  %1 = stablehlo.multiply %0, %arg0 : tensor<64x96xf32>
  %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %3 = stablehlo.multiply %2, %1 : tensor<64x96xf32>
  %4 = stablehlo.add %arg0, %3 : tensor<64x96xf32>
  %5 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %6 = stablehlo.multiply %5, %4 : tensor<64x96xf32>
  %7 = stablehlo.tanh %6 : tensor<64x96xf32>
  %8 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %9 = stablehlo.add %8, %7 : tensor<64x96xf32>
  %10 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<64x96xf32>
  %11 = stablehlo.multiply %10, %9 : tensor<64x96xf32>
  %12 = stablehlo.multiply %arg0, %11 : tensor<64x96xf32>
  func.return %12, %7 : tensor<64x96xf32>, tensor<64x96xf32>
}
