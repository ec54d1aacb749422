// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// Dynamic ops in the form JAX prints; the printed form is the same.

// CHECK-LABEL: func.func @ops(
func.func @ops(%x: tensor<?x3xf32>, %v: tensor<f32>, %s: tensor<2xi32>, %p: tensor<2xi64>, %l: tensor<1x2x9xf32>,
               %k: tensor<4x2x3xf32>, %q: tensor<1x2xi32>, %i: tensor<5xi32>) {
  // CHECK: %{{.*}} = stablehlo.dynamic_reshape %x, %s : (tensor<?x3xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  %0 = stablehlo.dynamic_reshape %x, %s : (tensor<?x3xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  // CHECK: %{{.*}} = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [0, 1] {known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>} : (tensor<?x3xf32>, tensor<2xi32>) -> tensor<?x3xf32>
  %1 = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [0, 1] {known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>} : (tensor<?x3xf32>, tensor<2xi32>) -> tensor<?x3xf32>
  // CHECK: %{{.*}} = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi32>) -> tensor<?x?xui8>
  %2 = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi32>) -> tensor<?x?xui8>
  // CHECK: %{{.*}} = stablehlo.dynamic_pad %x, %v, %p, %p, %p : (tensor<?x3xf32>, tensor<f32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  %3 = stablehlo.dynamic_pad %x, %v, %p, %p, %p : (tensor<?x3xf32>, tensor<f32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: %{{.*}} = stablehlo.real_dynamic_slice %x, %p, %p, %p : (tensor<?x3xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  %4 = stablehlo.real_dynamic_slice %x, %p, %p, %p : (tensor<?x3xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: %[[N:.*]] = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x3xf32>) -> tensor<i32>
  %5 = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x3xf32>) -> tensor<i32>
  // CHECK: %{{.*}} = stablehlo.set_dimension_size %l, %[[N]], dim = 2 : (tensor<1x2x9xf32>, tensor<i32>) -> tensor<1x2x?xf32, #stablehlo.bounds<?, ?, 9>>
  %6 = stablehlo.set_dimension_size %l, %5, dim = 2 : (tensor<1x2x9xf32>, tensor<i32>) -> tensor<1x2x?xf32, #stablehlo.bounds<?, ?, 9>>
  // CHECK: %{{.*}} = "stablehlo.dynamic_conv"(%l, %k, %q) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>, feature_group_count = 1 : i64, window_strides = array<i64: 1>}> : (tensor<1x2x9xf32>, tensor<4x2x3xf32>, tensor<1x2xi32>) -> tensor<1x4x?xf32>
  %7 = "stablehlo.dynamic_conv"(%l, %k, %q) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>, feature_group_count = 1 : i64, window_strides = array<i64: 1>}> : (tensor<1x2x9xf32>, tensor<4x2x3xf32>, tensor<1x2xi32>) -> tensor<1x4x?xf32>
  // CHECK: %{{.*}} = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false}> : (tensor<?x3xf32>, tensor<5xi32>, tensor<2xi32>) -> tensor<5x?xf32>
  %8 = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false}> : (tensor<?x3xf32>, tensor<5xi32>, tensor<2xi32>) -> tensor<5x?xf32>
  return
}

// -----

// Attributes of no op, and the generic form.

// CHECK-LABEL: func.func @attributes(
func.func @attributes(%x: tensor<6xf32>, %s: tensor<2xindex>) -> tensor<?x?xf32> {
  // CHECK: stablehlo.dynamic_reshape %x, %s {a = 1 : i32} : (tensor<6xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  %0 = "stablehlo.dynamic_reshape"(%x, %s) {a = 1 : i32} : (tensor<6xf32>, tensor<2xindex>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// Bounds of `?` are part of a type.

// CHECK-LABEL: func.func @bounds(%x: tensor<?x3x?xf32, #stablehlo.bounds<4, ?, ?>>, %y: tensor<3xf32, #stablehlo.bounds<?>>)
func.func @bounds(%x: tensor<?x3x?xf32, #stablehlo.bounds<4, ?, ?>>, %y: tensor<3xf32, #stablehlo.bounds<?>>) {
  // CHECK: stablehlo.negate %x : tensor<?x3x?xf32, #stablehlo.bounds<4, ?, ?>>
  %0 = stablehlo.negate %x : tensor<?x3x?xf32, #stablehlo.bounds<4, ?, ?>>
  return
}
