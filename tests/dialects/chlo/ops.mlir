// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @chlo(
func.func @chlo(%x: tensor<4x9xf32>, %i: tensor<4xui32>) {
  // CHECK: %acos = chlo.acos %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %acos = chlo.acos %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %acosh = chlo.acosh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %acosh = chlo.acosh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %asin = chlo.asin %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %asin = chlo.asin %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %asinh = chlo.asinh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %asinh = chlo.asinh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %atan = chlo.atan %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %atan = chlo.atan %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %atanh = chlo.atanh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %atanh = chlo.atanh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %bessel_i1e = chlo.bessel_i1e %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %bessel_i1e = chlo.bessel_i1e %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %conj = chlo.conj %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %conj = chlo.conj %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %cosh = chlo.cosh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %cosh = chlo.cosh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %digamma = chlo.digamma %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %digamma = chlo.digamma %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %erf = chlo.erf %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %erf = chlo.erf %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %erf_inv = chlo.erf_inv %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %erf_inv = chlo.erf_inv %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %erfc = chlo.erfc %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %erfc = chlo.erfc %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %lgamma = chlo.lgamma %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %lgamma = chlo.lgamma %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %sinh = chlo.sinh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %sinh = chlo.sinh %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %square = chlo.square %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %square = chlo.square %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %tan = chlo.tan %x : tensor<4x9xf32> -> tensor<4x9xf32>
  %tan = chlo.tan %x : tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %is_inf = chlo.is_inf %x : tensor<4x9xf32> -> tensor<4x9xi1>
  %is_inf = chlo.is_inf %x : tensor<4x9xf32> -> tensor<4x9xi1>
  // CHECK: %is_neg_inf = chlo.is_neg_inf %x : tensor<4x9xf32> -> tensor<4x9xi1>
  %is_neg_inf = chlo.is_neg_inf %x : tensor<4x9xf32> -> tensor<4x9xi1>
  // CHECK: %is_pos_inf = chlo.is_pos_inf %x : tensor<4x9xf32> -> tensor<4x9xi1>
  %is_pos_inf = chlo.is_pos_inf %x : tensor<4x9xf32> -> tensor<4x9xi1>
  // CHECK: %next_after = chlo.next_after %x, %x : tensor<4x9xf32>, tensor<4x9xf32> -> tensor<4x9xf32>
  %next_after = chlo.next_after %x, %x : tensor<4x9xf32>, tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %polygamma = chlo.polygamma %x, %x : tensor<4x9xf32>, tensor<4x9xf32> -> tensor<4x9xf32>
  %polygamma = chlo.polygamma %x, %x : tensor<4x9xf32>, tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %zeta = chlo.zeta %x, %x : tensor<4x9xf32>, tensor<4x9xf32> -> tensor<4x9xf32>
  %zeta = chlo.zeta %x, %x : tensor<4x9xf32>, tensor<4x9xf32> -> tensor<4x9xf32>
  // CHECK: %mulhi = chlo.mulhi %i, %i : tensor<4xui32>, tensor<4xui32> -> tensor<4xui32>
  %mulhi = chlo.mulhi %i, %i : tensor<4xui32>, tensor<4xui32> -> tensor<4xui32>
  // CHECK: %v, %w = chlo.top_k(%x, k = 3) : tensor<4x9xf32> -> (tensor<4x3xf32>, tensor<4x3xi32>)
  %v, %w = chlo.top_k(%x, k = 3) : tensor<4x9xf32> -> (tensor<4x3xf32>, tensor<4x3xi32>)
  // CHECK: %c = chlo.constant dense<1> : tensor<2xi32>
  %c = chlo.constant dense<1> : tensor<2xi32>
  // CHECK: %d = "chlo.constant_like"(%x) <{value = 1.000000e+00 : f32}> : (tensor<4x9xf32>) -> tensor<4x9xf32>
  %d = "chlo.constant_like"(%x) <{value = 1.000000e+00 : f32}> : (tensor<4x9xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

// CHECK-LABEL: func.func @broadcasting
// CHECK: chlo.broadcast_add %{{.*}}, %{{.*}} : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
// CHECK: chlo.broadcast_multiply %{{.*}}, %{{.*}} {broadcast_dimensions = array<i64: 1>} : (tensor<4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
// CHECK: chlo.broadcast_compare %{{.*}}, %{{.*}} {compare_type = #chlo<comparison_type TOTALORDER>, comparison_direction = #chlo<comparison_direction LT>}
// CHECK: chlo.broadcast_complex %{{.*}}, %{{.*}} : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xcomplex<f32>>
// CHECK: chlo._asin_acos_kernel %{{.*}} : tensor<3x4xcomplex<f32>> -> tensor<3x4xcomplex<f32>>
// CHECK: chlo.broadcast_select %{{.*}}, %{{.*}}, %{{.*}} : (tensor<4xi1>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
// CHECK: chlo.broadcast_power %{{.*}}, %{{.*}} : (tensor<?x1xf32>, tensor<4xf32>) -> tensor<?x4xf32>
func.func @broadcasting(%x: tensor<3x1xf32>, %y: tensor<4xf32>, %p: tensor<4xi1>, %d: tensor<?x1xf32>) {
  %0 = chlo.broadcast_add %x, %y : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %1 = "chlo.broadcast_multiply"(%y, %0) {broadcast_dimensions = array<i64: 1>} : (tensor<4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %2 = chlo.broadcast_compare %x, %y {compare_type = #chlo<comparison_type TOTALORDER>, comparison_direction = #chlo<comparison_direction LT>} : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xi1>
  %3 = chlo.broadcast_complex %x, %y : (tensor<3x1xf32>, tensor<4xf32>) -> tensor<3x4xcomplex<f32>>
  %4 = chlo._asin_acos_kernel %3 : tensor<3x4xcomplex<f32>> -> tensor<3x4xcomplex<f32>>
  %5 = chlo.broadcast_select %p, %0, %y : (tensor<4xi1>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %6 = chlo.broadcast_power %d, %y : (tensor<?x1xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

// CHECK-LABEL: func.func @scan
// CHECK: chlo.scan(%{{.*}}) inits (%{{.*}}) dimension=1 attributes {is_reverse = true} {
// CHECK-NEXT: ^{{.*}}(%{{.*}}: tensor<2xi32>, %{{.*}}: tensor<2xi32>):
// CHECK: } : (tensor<2x3xi32>, tensor<2xi32>) -> (tensor<2x3xi32>, tensor<2xi32>)
func.func @scan(%x: tensor<2x3xi32>, %c: tensor<2xi32>) -> tensor<2x3xi32> {
  %0:2 = chlo.scan(%x) inits (%c) dimension=1 attributes {is_reverse = true} {
  ^bb0(%input: tensor<2xi32>, %carry: tensor<2xi32>):
    %1 = stablehlo.add %input, %carry : tensor<2xi32>
    stablehlo.return %1, %1 : tensor<2xi32>, tensor<2xi32>
  } : (tensor<2x3xi32>, tensor<2xi32>) -> (tensor<2x3xi32>, tensor<2xi32>)
  return %0#0 : tensor<2x3xi32>
}

// -----

// CHECK-LABEL: func.func @ragged
// CHECK: "chlo.ragged_dot"(%{{.*}}) <{precision_config = [#chlo<precision HIGHEST>, #chlo<precision DEFAULT>], ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}>
func.func @ragged(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3xi64>) -> tensor<11x7xf32> {
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{precision_config = [#chlo<precision HIGHEST>, #chlo<precision DEFAULT>], ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3xi64>) -> tensor<11x7xf32>
  return %0 : tensor<11x7xf32>
}
