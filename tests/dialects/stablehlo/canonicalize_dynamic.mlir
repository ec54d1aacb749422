// RUN: stepwell-opt %s --canonicalize --split-input-file | filecheck %s

// Constant sizes, and sizes that the result's type says.

// CHECK-LABEL: func.func @constants(
func.func @constants(%x: tensor<2x3xf32>, %v: tensor<f32>, %i: tensor<5xi32>) -> (tensor<6xf32>, tensor<2x3x4xf32>, tensor<3x2xi8>, tensor<4x3xf32>, tensor<1x3xf32>, tensor<5x2xf32>) {
  %6 = stablehlo.constant dense<6> : tensor<1xi32>
  %b = stablehlo.constant dense<[2, 3, 4]> : tensor<3xi64>
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi32>
  %o = stablehlo.constant dense<[1, 0]> : tensor<2xi32>
  %z = stablehlo.constant dense<[0, 0]> : tensor<2xi32>
  %l = stablehlo.constant dense<[2, 3]> : tensor<2xi32>
  %t = stablehlo.constant dense<[1, 1]> : tensor<2xi32>
  %g = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  // CHECK: stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
  %r0 = stablehlo.dynamic_reshape %x, %6 : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<6xf32>
  // CHECK: stablehlo.broadcast_in_dim %x, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x4xf32>
  %r1 = stablehlo.dynamic_broadcast_in_dim %x, %b, dims = [0, 1] : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<2x3x4xf32>
  // CHECK: stablehlo.iota dim = 1 : tensor<3x2xi8>
  %r2 = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi32>) -> tensor<3x2xi8>
  // CHECK: stablehlo.pad %x, %v, low = [1, 0], high = [0, 0], interior = [1, 0] : (tensor<2x3xf32>, tensor<f32>) -> tensor<4x3xf32>
  %r3 = stablehlo.dynamic_pad %x, %v, %o, %z, %o : (tensor<2x3xf32>, tensor<f32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<4x3xf32>
  // CHECK: stablehlo.slice %x [1:2, 0:3] : (tensor<2x3xf32>) -> tensor<1x3xf32>
  %r4 = stablehlo.real_dynamic_slice %x, %o, %l, %t : (tensor<2x3xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<1x3xf32>
  // CHECK: "stablehlo.gather"(%x, %i) <{{.*}}slice_sizes = array<i64: 1, 2>{{.*}}> : (tensor<2x3xf32>, tensor<5xi32>) -> tensor<5x2xf32>
  %r5 = "stablehlo.dynamic_gather"(%x, %i, %g) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (tensor<2x3xf32>, tensor<5xi32>, tensor<2xi32>) -> tensor<5x2xf32>
  return %r0, %r1, %r2, %r3, %r4, %r5 : tensor<6xf32>, tensor<2x3x4xf32>, tensor<3x2xi8>, tensor<4x3xf32>, tensor<1x3xf32>, tensor<5x2xf32>
}

// -----

// CHECK-LABEL: func.func @implied(
func.func @implied(%x: tensor<2x3xf32>, %s: tensor<1xi32>, %i: tensor<5xi32>, %g: tensor<2xi32>) -> (tensor<6xf32>, tensor<4xi32>, tensor<5x2xf32>) {
  // CHECK: stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
  %0 = stablehlo.dynamic_reshape %x, %s : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<6xf32>
  // CHECK: stablehlo.iota dim = 0 : tensor<4xi32>
  %1 = stablehlo.dynamic_iota %s, dim = 0 : (tensor<1xi32>) -> tensor<4xi32>
  // CHECK: slice_sizes = array<i64: 1, 2>
  %2 = "stablehlo.dynamic_gather"(%x, %i, %g) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>}> : (tensor<2x3xf32>, tensor<5xi32>, tensor<2xi32>) -> tensor<5x2xf32>
  return %0, %1, %2 : tensor<6xf32>, tensor<4xi32>, tensor<5x2xf32>
}

// -----

// CHECK-LABEL: func.func @extent(
// CHECK: stablehlo.constant dense<3> : tensor<i32>
func.func @extent(%x: tensor<?x3xf32>) -> tensor<i32> {
  %0 = stablehlo.get_dimension_size %x, dim = 1 : (tensor<?x3xf32>) -> tensor<i32>
  return %0 : tensor<i32>
}

// -----

// A result keeps its type, and what nobody knows stays.

// CHECK-LABEL: func.func @kept(
func.func @kept(%x: tensor<?x3xf32>, %y: tensor<2x3xf32>, %v: tensor<f32>, %p: tensor<2xi32>) -> (tensor<?xf32>, tensor<i32>, tensor<4x4xf32>) {
  %6 = stablehlo.constant dense<6> : tensor<1xi32>
  // CHECK: stablehlo.dynamic_reshape
  %0 = stablehlo.dynamic_reshape %y, %6 : (tensor<2x3xf32>, tensor<1xi32>) -> tensor<?xf32>
  // CHECK: stablehlo.get_dimension_size
  %1 = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x3xf32>) -> tensor<i32>
  // CHECK: stablehlo.dynamic_pad
  %2 = stablehlo.dynamic_pad %y, %v, %p, %p, %p : (tensor<2x3xf32>, tensor<f32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<4x4xf32>
  return %0, %1, %2 : tensor<?xf32>, tensor<i32>, tensor<4x4xf32>
}
