// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(split-long-softmax)' | filecheck %s

// Parts are half of the first cache, 128 elements; the maximum and the sum come from theirs. Who reads the exponentials keeps them.

// CHECK-LABEL: func.func @softmax
// CHECK-SAME: (%[[X:.*]]: tensor<2x1280xf32>)
// CHECK: %[[P:.*]] = stablehlo.reshape %[[X]] : (tensor<2x1280xf32>) -> tensor<2x10x128xf32>
// CHECK: %[[N:.*]] = stablehlo.reduce(%[[P]] init: %{{.*}}) applies stablehlo.maximum across dimensions = [2]
// CHECK: %[[F:.*]] = stablehlo.is_finite %[[N]]
// CHECK: %[[B:.*]] = stablehlo.select %[[F]], %[[N]]
// CHECK: %[[S:.*]] = stablehlo.broadcast_in_dim %[[B]], dims = [0, 1] : (tensor<2x10xf32>) -> tensor<2x10x128xf32>
// CHECK: %[[D:.*]] = stablehlo.subtract %[[P]], %[[S]]
// CHECK: %[[E:.*]] = stablehlo.exponential %[[D]]
// CHECK: %[[T:.*]] = stablehlo.reduce(%[[E]] init: %{{.*}}) applies stablehlo.add across dimensions = [2]
// CHECK: %[[M:.*]] = stablehlo.reduce(%[[N]] init: %low) applies stablehlo.maximum across dimensions = [1]
// CHECK: %[[MR:.*]] = stablehlo.broadcast_in_dim %[[M]], dims = [0] : (tensor<2xf32>) -> tensor<2x1280xf32>
// CHECK: %[[MP:.*]] = stablehlo.broadcast_in_dim %[[M]], dims = [0] : (tensor<2xf32>) -> tensor<2x10xf32>
// CHECK: %[[U:.*]] = stablehlo.subtract %[[N]], %[[MP]]
// CHECK: %[[G:.*]] = stablehlo.exponential %[[U]]
// CHECK: %[[W:.*]] = stablehlo.multiply %[[T]], %[[G]]
// CHECK: stablehlo.reduce(%[[W]] init: %zero) applies stablehlo.add across dimensions = [1]
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l1_bytes = 1024 : i64, l2_bytes = 8192 : i64}>} {
  func.func @softmax(%x: tensor<2x1280xf32>) -> tensor<2x1280xf32> {
    %low = stablehlo.constant dense<0xff800000> : tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %m = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<2x1280xf32>, tensor<f32>) -> tensor<2xf32>
    %mr = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<2xf32>) -> tensor<2x1280xf32>
    %d = stablehlo.subtract %x, %mr : tensor<2x1280xf32>
    %e = stablehlo.exponential %d : tensor<2x1280xf32>
    %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<2x1280xf32>, tensor<f32>) -> tensor<2xf32>
    %sr = stablehlo.broadcast_in_dim %s, dims = [0] : (tensor<2xf32>) -> tensor<2x1280xf32>
    %r = stablehlo.divide %e, %sr : tensor<2x1280xf32>
    func.return %r : tensor<2x1280xf32>
  }
}

// -----

// A vector is one row, and what is subtracted may be something else than the maximum.

// CHECK-LABEL: func.func @logsumexp
// CHECK: stablehlo.reshape %x : (tensor<4096xf64>) -> tensor<64x64xf64>
// CHECK: stablehlo.select
// CHECK: %[[SHIFT:.*]] = stablehlo.select %{{.*}} : tensor<i1>, tensor<f64>
// CHECK: stablehlo.broadcast_in_dim %[[SHIFT]], dims = [] : (tensor<f64>) -> tensor<64xf64>
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l1_bytes = 1024 : i64, l2_bytes = 8192 : i64}>} {
  func.func @logsumexp(%x: tensor<4096xf64>) -> tensor<f64> {
    %low = stablehlo.constant dense<0xfff0000000000000> : tensor<f64>
    %zero = stablehlo.constant dense<0.0> : tensor<f64>
    %m = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [0] : (tensor<4096xf64>, tensor<f64>) -> tensor<f64>
    %f = stablehlo.is_finite %m : (tensor<f64>) -> tensor<i1>
    %g = stablehlo.select %f, %m, %zero : tensor<i1>, tensor<f64>
    %mr = stablehlo.broadcast_in_dim %g, dims = [] : (tensor<f64>) -> tensor<4096xf64>
    %d = stablehlo.subtract %x, %mr : tensor<4096xf64>
    %e = stablehlo.exponential %d : tensor<4096xf64>
    %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4096xf64>, tensor<f64>) -> tensor<f64>
    func.return %s : tensor<f64>
  }
}

// -----

// A row that stays in the cache, and a row that nothing divides.

// CHECK-LABEL: func.func @short
// CHECK-NOT: stablehlo.reshape
// CHECK-LABEL: func.func @prime
// CHECK-NOT: stablehlo.reshape
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l1_bytes = 1024 : i64, l2_bytes = 8192 : i64}>} {
  func.func @short(%x: tensor<8x512xf32>) -> tensor<8xf32> {
    %low = stablehlo.constant dense<0xff800000> : tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %m = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x512xf32>, tensor<f32>) -> tensor<8xf32>
    %mr = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x512xf32>
    %d = stablehlo.subtract %x, %mr : tensor<8x512xf32>
    %e = stablehlo.exponential %d : tensor<8x512xf32>
    %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x512xf32>, tensor<f32>) -> tensor<8xf32>
    func.return %s : tensor<8xf32>
  }
  func.func @prime(%x: tensor<4099xf32>) -> tensor<f32> {
    %low = stablehlo.constant dense<0xff800000> : tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %m = stablehlo.reduce(%x init: %low) applies stablehlo.maximum across dimensions = [0] : (tensor<4099xf32>, tensor<f32>) -> tensor<f32>
    %mr = stablehlo.broadcast_in_dim %m, dims = [] : (tensor<f32>) -> tensor<4099xf32>
    %d = stablehlo.subtract %x, %mr : tensor<4099xf32>
    %e = stablehlo.exponential %d : tensor<4099xf32>
    %s = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<4099xf32>, tensor<f32>) -> tensor<f32>
    func.return %s : tensor<f32>
  }
}
