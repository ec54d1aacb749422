// RUN: stepwell-opt %s --pass-pipeline='builtin.module(prepare-entry,critical-path{target-latency-ns=7})' | filecheck %s
// RUN: stepwell-opt %s --pass-pipeline='builtin.module(prepare-entry,critical-path{allow-unsafe=true})' | filecheck %s --check-prefix=UNSAFE

// UNSAFE: func.func public @main
// UNSAFE-SAME: stepwell.latency_target_ns = 90 : i64, {{.*}}, stepwell.unchecked_indices}
// UNSAFE: func.func private @other
// UNSAFE-NOT: unchecked

// The option marks the entry, in place of what it says.
// CHECK: func.func public @main
// CHECK-SAME: stepwell.latency_target_ns = 7 : i64
// CHECK: func.func private @other
// CHECK-NOT: latency
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> attributes {stepwell.latency_target_ns = 90 : i64} {
  return %x : tensor<4xf32>
}
func.func private @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
