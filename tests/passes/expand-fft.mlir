// RUN: stepwell-opt %s --split-input-file --expand-fft | filecheck %s

// 32 = 16 * 2: a product with the matrix of 16 points, twiddles, a product with that of 2.

// CHECK-LABEL: func.func @fft
// CHECK-SAME: (%[[X:.*]]: tensor<3x32xcomplex<f32>>)
// CHECK: %[[RE:.*]] = stablehlo.real %[[X]]
// CHECK: %[[IM:.*]] = stablehlo.imag %[[X]]
// CHECK: %[[PLANES:.*]] = stablehlo.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x3x32xi1>, tensor<2x3x32xf32>
// CHECK: %[[FRONT:.*]] = stablehlo.transpose %[[PLANES]], dims = [0, 2, 1]
// CHECK: %[[ROWS:.*]] = stablehlo.reshape %[[FRONT]] : (tensor<2x32x3xf32>) -> tensor<32x6xf32>
// CHECK: stablehlo.dot_general %{{.*}}, %[[ROWS]], contracting_dims = [1] x [0] : (tensor<32x32xf32>, tensor<32x6xf32>) -> tensor<32x6xf32>
// CHECK: stablehlo.reverse %{{.*}}, dims = [0] : tensor<2x16x2x3xf32>
// CHECK: stablehlo.transpose %{{.*}}, dims = [0, 2, 1, 3] : (tensor<2x16x2x3xf32>) -> tensor<2x2x16x3xf32>
// CHECK: stablehlo.dot_general %{{.*}} : (tensor<4x4xf32>, tensor<4x48xf32>) -> tensor<4x48xf32>
// CHECK: stablehlo.transpose %{{.*}}, dims = [0, 2, 1] : (tensor<2x32x3xf32>) -> tensor<2x3x32xf32>
// CHECK: %[[R:.*]] = stablehlo.complex
// CHECK-NEXT: return %[[R]]
func.func @fft(%x: tensor<3x32xcomplex<f32>>) -> tensor<3x32xcomplex<f32>> {
  %0 = stablehlo.fft %x, type = FFT, length = [32] : (tensor<3x32xcomplex<f32>>) -> tensor<3x32xcomplex<f32>>
  return %0 : tensor<3x32xcomplex<f32>>
}

// -----

// Real numbers, in pairs, are transformed as half as many complex ones.

// CHECK-LABEL: func.func @rfft
// CHECK-SAME: (%[[X:.*]]: tensor<32xf32>)
// CHECK: stablehlo.dot_general %{{.*}} : (tensor<32x32xf32>, tensor<32x1xf32>) -> tensor<32x1xf32>
// CHECK-NOT: dot_general
// CHECK: stablehlo.complex %{{.*}} : tensor<17xcomplex<f32>>
func.func @rfft(%x: tensor<32xf32>) -> tensor<17xcomplex<f32>> {
  %0 = stablehlo.fft %x, type = RFFT, length = [32] : (tensor<32xf32>) -> tensor<17xcomplex<f32>>
  return %0 : tensor<17xcomplex<f32>>
}

// -----

// An odd real transform has no imaginary columns.

// CHECK-LABEL: func.func @odd
// CHECK: stablehlo.dot_general %{{.*}} : (tensor<10x5xf64>, tensor<5x1xf64>) -> tensor<10x1xf64>
// CHECK: stablehlo.slice %{{.*}} [0:2, 0:3, 0:1]
func.func @odd(%x: tensor<5xf64>) -> tensor<3xcomplex<f64>> {
  %0 = stablehlo.fft %x, type = RFFT, length = [5] : (tensor<5xf64>) -> tensor<3xcomplex<f64>>
  return %0 : tensor<3xcomplex<f64>>
}
