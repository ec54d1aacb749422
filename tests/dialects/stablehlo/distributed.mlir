// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// Collectives, communication and asynchronous ops: the reference has a form of its own for the process ids only.

// CHECK-LABEL: func.func @collectives(
func.func @collectives(%x: tensor<2x4xi64>, %y: tensor<2x2xi32>) {
  // CHECK: %replica = stablehlo.replica_id : tensor<ui32>
  %replica = stablehlo.replica_id : tensor<ui32>
  // CHECK: %partition = stablehlo.partition_id {a.b} : tensor<ui32>
  %partition = stablehlo.partition_id {a.b} : tensor<ui32>
  // CHECK: %gathered, %gathered_1 = "stablehlo.all_gather"(%x, %y) <{all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1], [3, 2]]> : tensor<2x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>, use_global_device_ids}> : (tensor<2x4xi64>, tensor<2x2xi32>) -> (tensor<2x8xi64>, tensor<2x4xi32>)
  %gathered:2 = "stablehlo.all_gather"(%x, %y) {all_gather_dim = 1 : i64, replica_groups = dense<[[0, 1], [3, 2]]> : tensor<2x2xi64>, channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>, use_global_device_ids} : (tensor<2x4xi64>, tensor<2x2xi32>) -> (tensor<2x8xi64>, tensor<2x4xi32>)
  // CHECK: %reduced = "stablehlo.all_reduce"(%y) <{replica_groups = dense<[[0, 1], [2, -1]]> : tensor<2x2xi64>}> ({
  // CHECK-NEXT: ^bb{{.*}}(%a: tensor<i64>, %b: tensor<i64>):
  // CHECK: }) : (tensor<2x2xi32>) -> tensor<2x2xi64>
  %reduced = "stablehlo.all_reduce"(%y) <{replica_groups = dense<[[0, 1], [2, -1]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i64>, %b: tensor<i64>):
    %s = stablehlo.add %a, %b : tensor<i64>
    stablehlo.return %s : tensor<i64>
  }) : (tensor<2x2xi32>) -> tensor<2x2xi64>
  // CHECK: %scattered = "stablehlo.reduce_scatter"(%x) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, scatter_dimension = 1 : i64}> ({
  %scattered = "stablehlo.reduce_scatter"(%x) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, scatter_dimension = 1 : i64}> ({
  ^bb0(%a: tensor<i64>, %b: tensor<i64>):
    %s = stablehlo.maximum %a, %b : tensor<i64>
    stablehlo.return %s : tensor<i64>
  }) : (tensor<2x4xi64>) -> tensor<2x2xi64>
  // CHECK: %exchanged, %exchanged_1 = "stablehlo.all_to_all"(%x, %y) <{concat_dimension = 0 : i64, replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>, split_count = 2 : i64, split_dimension = 1 : i64}>
  %exchanged:2 = "stablehlo.all_to_all"(%x, %y) <{concat_dimension = 0 : i64, replica_groups = dense<[[1, 0]]> : tensor<1x2xi64>, split_count = 2 : i64, split_dimension = 1 : i64}> : (tensor<2x4xi64>, tensor<2x2xi32>) -> (tensor<4x2xi64>, tensor<4x1xi32>)
  // CHECK: %permuted = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x4xi64>) -> tensor<2x4xi64>
  %permuted = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x4xi64>) -> tensor<2x4xi64>
  %root = stablehlo.constant dense<[1, 0]> : tensor<2xi32>
  // CHECK: %sent, %sent_1 = "stablehlo.collective_broadcast"(%x, %y, %root) <{has_dynamic_root, replica_groups = dense<[[2, 1]]> : tensor<1x2xi64>}>
  %sent:2 = "stablehlo.collective_broadcast"(%x, %y, %root) <{has_dynamic_root, replica_groups = dense<[[2, 1]]> : tensor<1x2xi64>}> : (tensor<2x4xi64>, tensor<2x2xi32>, tensor<2xi32>) -> (tensor<2x4xi64>, tensor<2x2xi32>)
  // CHECK: %one = "stablehlo.collective_reduce"(%x) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
  %one = "stablehlo.collective_reduce"(%x) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
  ^bb0(%a: tensor<i64>, %b: tensor<i64>):
    %s = stablehlo.add %a, %b : tensor<i64>
    stablehlo.return %s : tensor<i64>
  }) : (tensor<2x4xi64>) -> tensor<2x4xi64>
  return
}

// CHECK-LABEL: func.func @communication(
func.func @communication(%x: tensor<2xi64>, %t: !stablehlo.token) {
  // CHECK: %in, %in_1, %in_2 = "stablehlo.infeed"(%t) <{infeed_config = "foobar", layout = [[0 : i64, 1 : i64], []]}> : (!stablehlo.token) -> (tensor<3x3xi32>, tensor<i1>, !stablehlo.token)
  %in:3 = "stablehlo.infeed"(%t) {infeed_config = "foobar", layout = [[0, 1], []]} : (!stablehlo.token) -> (tensor<3x3xi32>, tensor<i1>, !stablehlo.token)
  // CHECK: %out = "stablehlo.outfeed"(%x, %x, %in_2) <{outfeed_config = ""}> : (tensor<2xi64>, tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  %out = "stablehlo.outfeed"(%x, %x, %in#2) <{outfeed_config = ""}> : (tensor<2xi64>, tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  // CHECK: %send = "stablehlo.send"(%x, %out) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  %send = "stablehlo.send"(%x, %out) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  // CHECK: %recv, %recv_1 = "stablehlo.recv"(%send) <{channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  %recv:2 = "stablehlo.recv"(%send) <{channel_handle = #stablehlo.channel_handle<handle = 2, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  return
}

// CHECK-LABEL: func.func @asynchronous(
// CHECK-SAME:    -> (!stablehlo.future<tensor<4xf32>>, tensor<4xf32>) {
func.func @asynchronous(%x: tensor<8xf32>) -> (!stablehlo.future<tensor<4xf32>>, tensor<4xf32>) {
  // CHECK: %f = "stablehlo.async_start"(%x) ({
  // CHECK: }) : (tensor<8xf32>) -> !stablehlo.future<tensor<4xf32>>
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8xf32>):
    %s = stablehlo.slice %a [0:4] : (tensor<8xf32>) -> tensor<4xf32>
    stablehlo.return %s : tensor<4xf32>
  }) : (tensor<8xf32>) -> !stablehlo.future<tensor<4xf32>>
  // CHECK: %r = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4xf32>>) -> tensor<4xf32>
  %r = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<4xf32>>) -> tensor<4xf32>
  return %f, %r : !stablehlo.future<tensor<4xf32>>, tensor<4xf32>
}
// CHECK: func.func private @futures(!stablehlo.future<tensor<f32>, tensor<?xi8>>)
func.func private @futures(!stablehlo.future<tensor<f32>, tensor<?xi8>>)

// -----

// Groups said by the axes of a mesh.

// CHECK: sdy.mesh @mesh = <["x"=2, "y"=4]>
sdy.mesh @mesh = <["x"=2, "y"=4]>
// CHECK-LABEL: func.func @meshes(
func.func @meshes(%x: tensor<2xf32>) {
  // CHECK: replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "y", sub_axis_info = (2)2>, #stablehlo.axis_ref<name = "x">]>
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "y", sub_axis_info = (2)2>, #stablehlo.axis_ref<name = "x">]>}> : (tensor<2xf32>) -> tensor<8xf32>
  // CHECK: replica_groups = #stablehlo.replica_group_mesh_axes<mesh = #stablehlo.mesh<axes = [#stablehlo.mesh_axis<name = "z", size = 2>], device_ids = dense<[1, 0]> : tensor<2xi64>>, axes = [#stablehlo.axis_ref<name = "z">]>
  %1 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = #stablehlo.mesh<axes = [#stablehlo.mesh_axis<name = "z", size = 2>], device_ids = dense<[1, 0]> : tensor<2xi64>>, axes = [#stablehlo.axis_ref<name = "z">]>}> : (tensor<2xf32>) -> tensor<4xf32>
  return
}
