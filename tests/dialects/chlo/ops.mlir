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
