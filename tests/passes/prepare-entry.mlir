// RUN: stepwell-opt %s --split-input-file --prepare-entry | filecheck %s

// CHECK: builtin.module @jit_f {
// CHECK-NEXT: func.func public @main(%{{.*}}: tensor<2xui32>, %{{.*}}: tensor<4xf32>) -> tensor<2xui32> attributes
// CHECK-SAME: stepwell.abi = #stepwell.abi<{inputs = ["tensor<2xui32>", "tensor<4xf32>"], outputs = ["tensor<2xui32>"], donated = array<i64: 1>}>
// CHECK: func.func private @helper
module @jit_f attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func @main(%a: tensor<2xui32> {jax.arg_info = "a"}, %b: tensor<4xf32> {jax.buffer_donor = true}) -> (tensor<2xui32> {jax.result_info = "result"}) {
    %0 = func.call @helper(%a) : (tensor<2xui32>) -> tensor<2xui32>
    return %0 : tensor<2xui32>
  }
  func.func public @helper(%a: tensor<2xui32>) -> tensor<2xui32> {
    return %a : tensor<2xui32>
  }
}

// -----

// A signature recorded at an earlier step stays.

// CHECK: func.func public @main(%{{.*}}: tensor<2xi32>)
// CHECK-SAME: inputs = ["tensor<2xui32>"]
func.func @main(%a: tensor<2xi32>) -> tensor<2xi32> attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<2xui32>"], outputs = ["tensor<2xui32>"], donated = array<i64>}>} {
  return %a : tensor<2xi32>
}
