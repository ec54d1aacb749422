// RUN: stepwell-opt %s --split-input-file --expand-random | filecheck %s

// Elements of 64 bits take the two words of a block each; the counter moves on by the number of blocks.

// CHECK-LABEL: func.func @threefry64
// CHECK-SAME: (%[[S:.*]]: tensor<2xui64>)
// CHECK: %[[K:.*]] = stablehlo.slice %[[S]] [0:1]
// CHECK: %[[KEY:.*]] = stablehlo.reshape %[[K]]
// CHECK: %[[C:.*]] = stablehlo.slice %[[S]] [1:2]
// CHECK: %[[FIRST:.*]] = stablehlo.reshape %[[C]]
// CHECK: stablehlo.iota dim = 0 : tensor<9xui64>
// CHECK: stablehlo.shift_right_logical %{{.*}}, %{{.*}} : tensor<9xui32>
// CHECK: stablehlo.constant dense<9> : tensor<ui64>
// CHECK: stablehlo.add %[[FIRST]]
// CHECK: %[[BITS:.*]] = stablehlo.or %{{.*}} : tensor<9xui64>
// CHECK: %[[STATE:.*]] = stablehlo.concatenate
// CHECK: return %[[STATE]], %[[BITS]]
func.func @threefry64(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<9xui64>) {
  %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<9xui64>)
  return %0, %1 : tensor<2xui64>, tensor<9xui64>
}

// -----

// Narrow elements come in pairs: without an even dimension the largest is cut, and its last half pair dropped.

// CHECK-LABEL: func.func @threefry32
// CHECK: stablehlo.concatenate %{{.*}}, dim = 2 : (tensor<5x2x1xui32>, tensor<5x2x1xui32>) -> tensor<5x2x2xui32>
// CHECK: stablehlo.reshape %{{.*}} : (tensor<5x2x2xui32>) -> tensor<5x4xui32>
func.func @threefry32(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<5x4xi8>) {
  %0, %1 = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<5x4xi8>)
  return %0, %1 : tensor<2xui64>, tensor<5x4xi8>
}
