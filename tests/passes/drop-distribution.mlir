// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(drop-distribution)' | filecheck %s

// Shardings go, whatever the size of the mesh; so do attributes about placement.

// CHECK-LABEL: builtin.module @shardings {
// CHECK-NEXT:    func.func @f(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT:      %a = stablehlo.add %x, %x {other.attribute = 1 : i32} : tensor<8x4xf32>
// CHECK-NEXT:      func.return %a : tensor<8x4xf32>
module @shardings attributes {mhlo.num_partitions = 8 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=2, "b"=4]>
  func.func @f(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    %0 = sdy.sharding_constraint %x <@mesh, [{"a"}, {}]> : tensor<8x4xf32>
    %a = stablehlo.add %0, %0 {mhlo.sharding = "{replicated}", sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>, other.attribute = 1 : i32} : tensor<8x4xf32>
    %1 = sdy.reshard %a <@mesh, [{}, {"b"}]> : tensor<8x4xf32>
    return %1 : tensor<8x4xf32>
  }
}

// -----

// Collectives of one process are their operands, in the results' types; in no group they are zeros.

// CHECK-LABEL: builtin.module @collectives {
// CHECK-NEXT:    func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf64>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
// CHECK-NEXT:      %[[D:.*]] = stablehlo.convert %x : (tensor<4xf32>) -> tensor<4xf64>
// CHECK-NEXT:      %[[Z:.*]] = stablehlo.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:      %[[B:.*]] = stablehlo.broadcast_in_dim %[[Z]], dims = [] : (tensor<f32>) -> tensor<4xf32>
// CHECK:           %[[C:.*]] = stablehlo.broadcast_in_dim
// CHECK-NEXT:      func.return %x, %[[D]], %x, %x, %x, %[[B]], %x, %[[C]]
module @collectives attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf64>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
    %1 = "stablehlo.all_reduce"(%x) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, replica_groups = dense<0> : tensor<1x1xi64>, use_global_device_ids}> ({
    ^bb0(%a: tensor<f64>, %b: tensor<f64>):
      %s = stablehlo.add %a, %b : tensor<f64>
      stablehlo.return %s : tensor<f64>
    }) : (tensor<4xf32>) -> tensor<4xf64>
    %2 = "stablehlo.reduce_scatter"(%x) <{scatter_dimension = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = "stablehlo.all_to_all"(%x) <{split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = 1 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
    %4 = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<0> : tensor<1x2xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
    %5 = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<> : tensor<0x2xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
    %6 = "stablehlo.collective_broadcast"(%x) <{replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
    %7 = "stablehlo.collective_broadcast"(%x) <{replica_groups = dense<> : tensor<0x1xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
    return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<4xf32>, tensor<4xf64>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// The ids of the only process; what runs asynchronously runs at once; a computation on a mesh of one device is inlined.

// CHECK-LABEL: builtin.module @rest {
// CHECK:         func.func @f(%x: tensor<4xf32>) -> (tensor<ui32>, tensor<ui32>, tensor<2xf32>, tensor<4xf32>) {
// CHECK-NEXT:      %[[R:.*]] = stablehlo.constant dense<0> : tensor<ui32>
// CHECK-NEXT:      %[[P:.*]] = stablehlo.constant dense<0> : tensor<ui32>
// CHECK-NEXT:      %s = stablehlo.slice %x [0:2] : (tensor<4xf32>) -> tensor<2xf32>
// CHECK-NEXT:      %n = stablehlo.negate %x : tensor<4xf32>
// CHECK-NEXT:      func.return %[[R]], %[[P]], %s, %n
module @rest attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=1, "b"=1]>
  func.func @f(%x: tensor<4xf32>) -> (tensor<ui32>, tensor<ui32>, tensor<2xf32>, tensor<4xf32>) {
    %r = stablehlo.replica_id : tensor<ui32>
    %p = stablehlo.partition_id : tensor<ui32>
    %f = "stablehlo.async_start"(%x) ({
    ^bb0(%a: tensor<4xf32>):
      %s = stablehlo.slice %a [0:2] : (tensor<4xf32>) -> tensor<2xf32>
      stablehlo.return %s : tensor<2xf32>
    }) : (tensor<4xf32>) -> !stablehlo.future<tensor<2xf32>>
    %d = "stablehlo.async_done"(%f) : (!stablehlo.future<tensor<2xf32>>) -> tensor<2xf32>
    %g = "stablehlo.async_start"(%x) ({
    ^bb0(%a: tensor<4xf32>):
      %s = "stablehlo.collective_permute"(%a) <{source_target_pairs = dense<0> : tensor<1x2xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
      stablehlo.return %s : tensor<4xf32>
    }) : (tensor<4xf32>) -> !stablehlo.future<tensor<4xf32>>
    %e = "stablehlo.async_done"(%g) : (!stablehlo.future<tensor<4xf32>>) -> tensor<4xf32>
    %m = sdy.manual_computation(%e) in_shardings=[<@mesh, [{"a"}]>] out_shardings=[<@mesh, [{"a"}]>] manual_axes={"a", "b"} (%part: tensor<4xf32>) {
      %n = stablehlo.negate %part : tensor<4xf32>
      sdy.return %n : tensor<4xf32>
    } : (tensor<4xf32>) -> tensor<4xf32>
    return %r, %p, %d, %m : tensor<ui32>, tensor<ui32>, tensor<2xf32>, tensor<4xf32>
  }
}
