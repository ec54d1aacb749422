// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

// What the specification has no label for; its labelled constraints are in constraints/.

func.func @unknown_mesh(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.all_gather: C4: there is no mesh @mesh in this module}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = []>}> : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

sdy.mesh @mesh = <["x"=2, "y"=4]>
func.func @unknown_axis(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.all_gather: C4: the mesh has no axis "z"; it has x, y}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "z">]>}> : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

sdy.mesh @mesh = <["x"=2, "y"=4]>
func.func @no_part(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.all_gather: C4: (1)3 is no part of what is left of axis "y" of 4}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [#stablehlo.axis_ref<name = "y", sub_axis_info = (1)3>]>}> : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @no_axis(%x: tensor<2xf32>) {
  // expected-error @+1 {{replica_group_mesh_axes: expected #stablehlo.axis_ref, got 1 : i64}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = #stablehlo.replica_group_mesh_axes<mesh = @mesh, axes = [1]>}> : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @groups_of_another_type(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.all_gather: C4: replica_groups is dense<0> : tensor<1x1xi32>, expected a dense tensor of i64 or mesh axes}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi32>}> : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @groups_of_another_rank(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.all_gather: C4: replica_groups has rank 1, expected 2}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1xi64>}> : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @ragged(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.all_gather: C4: replica_groups holds -1, but its groups are of one size}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1], [2, -1]]> : tensor<2x2xi64>}> : (tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 3 : i32} {
  func.func @partitions_count(%x: tensor<2xf32>) -> tensor<4xf32> {
    // expected-error @+1 {{stablehlo.all_gather: C6: result is tensor<4xf32>, expected tensor<12xf32>}}
    %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}

// -----

func.func @layout(%t: !stablehlo.token) {
  // expected-error @+1 {{stablehlo.infeed: layout: layout has 1 entries for 2 tensors}}
  %0:3 = "stablehlo.infeed"(%t) <{layout = [[0]]}> : (!stablehlo.token) -> (tensor<2xi64>, tensor<2xi64>, !stablehlo.token)
  return
}

// -----

func.func @layout_of_no_integers(%t: !stablehlo.token) {
  // expected-error @+1 {{stablehlo.infeed: layout: layout entry [[]] is not a list of integers}}
  %0:2 = "stablehlo.infeed"(%t) <{layout = [[[]]]}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  return
}

// -----

// expected-error @+1 {{future: expected tensor types, got f32}}
func.func private @future(!stablehlo.future<f32>)

// -----

func.func @results_of_recv(%t: !stablehlo.token) {
  // expected-error @+1 {{stablehlo.recv: results: the last result is tensor<2xi64>, expected a token}}
  %0 = "stablehlo.recv"(%t) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>, is_host_transfer = true}> : (!stablehlo.token) -> tensor<2xi64>
  return
}

// -----

func.func @wrong_number() {
  // expected-error @+1 {{stablehlo.replica_id: O1: result is tensor<i32>, expected tensor<ui32>}}
  %0 = stablehlo.replica_id : tensor<i32>
  return
}
