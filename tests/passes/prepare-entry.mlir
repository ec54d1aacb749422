// RUN: stepwell-opt %s --split-input-file --prepare-entry | filecheck %s

// CHECK: builtin.module @jit_f attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
// CHECK-NEXT: func.func public @main(%{{.*}}: tensor<2xui32>, %{{.*}}: tensor<4xf32>) -> tensor<2xui32> attributes
// CHECK-SAME: stepwell.abi = #stepwell.abi<{inputs = ["tensor<2xui32>", "tensor<4xf32>"], outputs = ["tensor<2xui32>"], donated = array<i64: 1>}>
// CHECK: func.func private @helper
module @jit_f attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
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

// -----

// Members of tuples are passed one by one, tokens not at all.

// CHECK:      func.func public @main(%t: tensor<f32>, %t_1: tensor<2xi1>, %x: tensor<i8>) -> (tensor<i8>, tensor<2xi1>) attributes
// CHECK-SAME:     inputs = ["tensor<f32>", "tensor<2xi1>", "tensor<i8>"], outputs = ["tensor<i8>", "tensor<2xi1>"], donated = array<i64: 0, 1>
// CHECK-NEXT: %[[K:.*]] = stablehlo.create_token : !stablehlo.token
// CHECK-NEXT: %[[U:.*]] = stablehlo.tuple %t_1 : tuple<tensor<2xi1>>
// CHECK-NEXT: %[[T:.*]] = stablehlo.tuple %t, %[[U]] : tuple<tensor<f32>, tuple<tensor<2xi1>>>
// CHECK-NEXT: %i = stablehlo.get_tuple_element %[[T]][1]
// CHECK-NEXT: %r = stablehlo.tuple %x, %[[K]], %i : tuple<tensor<i8>, !stablehlo.token, tuple<tensor<2xi1>>>
// CHECK-NEXT: %[[A:.*]] = stablehlo.get_tuple_element %r[0] : (tuple<tensor<i8>, !stablehlo.token, tuple<tensor<2xi1>>>) -> tensor<i8>
// CHECK:      %[[B:.*]] = stablehlo.get_tuple_element %{{.*}}[0] : (tuple<tensor<2xi1>>) -> tensor<2xi1>
// CHECK-NEXT: func.return %[[A]], %[[B]] : tensor<i8>, tensor<2xi1>
func.func @main(%t: tuple<tensor<f32>, tuple<tensor<2xi1>>> {jax.buffer_donor = true}, %k: !stablehlo.token {jax.token = true}, %x: tensor<i8>) -> (!stablehlo.token {jax.token = true}, tuple<tensor<i8>, !stablehlo.token, tuple<tensor<2xi1>>> {jax.result_info = "r"}) {
  %i = stablehlo.get_tuple_element %t[1] : (tuple<tensor<f32>, tuple<tensor<2xi1>>>) -> tuple<tensor<2xi1>>
  %r = stablehlo.tuple %x, %k, %i : tuple<tensor<i8>, !stablehlo.token, tuple<tensor<2xi1>>>
  return %k, %r : !stablehlo.token, tuple<tensor<i8>, !stablehlo.token, tuple<tensor<2xi1>>>
}
