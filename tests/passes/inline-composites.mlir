// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(inline-composites)' | filecheck %s

// The parts come back, and the last one says what they are; the function that nothing names any more is gone.

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: %[[A:.*]] = stablehlo.negate %[[X]]
// CHECK-NEXT: %[[B:.*]] = stablehlo.exponential %[[A]] {kernel.remarks = ["softmax over dim 1 of 4x8xf32"]}
// CHECK-NEXT: func.return %[[B]]
// CHECK-NOT: @softmax
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = stablehlo.composite "stepwell.softmax" %x {decomposition = @softmax, composite_attributes = {dims = array<i64: 1>}} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %0 : tensor<4x8xf32>
}
func.func private @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = stablehlo.negate %x : tensor<4x8xf32>
  %1 = stablehlo.exponential %0 : tensor<4x8xf32>
  func.return %1 : tensor<4x8xf32>
}

// -----

// Composites of others, and what a strategy may claim, stay; so does a function that a call names.

// CHECK-LABEL: func.func @main
// CHECK-NEXT: stablehlo.composite "my.op"
// CHECK-NEXT: stablehlo.composite "stepwell.attention"
// CHECK-NEXT: stablehlo.negate {{.*}} {kernel.remarks = ["layer norm over dims 0, 1 of 4x8xf32"]}
// CHECK-NEXT: func.call @parts
// CHECK: func.func private @parts
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = stablehlo.composite "my.op" %x {decomposition = @parts} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = stablehlo.composite "stepwell.attention" %0 {decomposition = @parts} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = stablehlo.composite "stepwell.layer_norm" %1 {decomposition = @parts, composite_attributes = {dims = array<i64: 0, 1>}} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = func.call @parts(%2) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %3 : tensor<4x8xf32>
}
func.func private @parts(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = stablehlo.negate %x : tensor<4x8xf32>
  func.return %0 : tensor<4x8xf32>
}
