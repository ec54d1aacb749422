// RUN: stepwell-opt %s --pass-pipeline='builtin.module(canonicalize,cse,dce)' | filecheck %s

// What several processes do together is never removed or merged, used or not; process ids are ordinary values.

// CHECK-LABEL: func.func @effects(
// CHECK-NEXT:    "stablehlo.all_gather"
// CHECK-NEXT:    "stablehlo.all_gather"
// CHECK-NEXT:    "stablehlo.collective_permute"
// CHECK-NEXT:    "stablehlo.infeed"
// CHECK-NEXT:    "stablehlo.infeed"
// CHECK-NEXT:    "stablehlo.send"
// CHECK-NEXT:    "stablehlo.recv"
// CHECK-NEXT:    "stablehlo.outfeed"
// CHECK-NEXT:    "stablehlo.async_start"
// CHECK:         "stablehlo.async_done"
// CHECK-NEXT:    %a = stablehlo.replica_id
// CHECK-NEXT:    func.return %a, %a
func.func @effects(%x: tensor<2xf32>, %t: !stablehlo.token) -> (tensor<ui32>, tensor<ui32>) {
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2xf32>) -> tensor<4xf32>
  %1 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2xf32>) -> tensor<4xf32>
  %2 = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2xf32>) -> tensor<2xf32>
  %3:2 = "stablehlo.infeed"(%t) : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)
  %4:2 = "stablehlo.infeed"(%t) : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)
  %5 = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true}> : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  %6:2 = "stablehlo.recv"(%t) <{channel_handle = #stablehlo.channel_handle<handle = 1, type = 3>, is_host_transfer = true}> : (!stablehlo.token) -> (tensor<2xf32>, !stablehlo.token)
  %7 = "stablehlo.outfeed"(%x, %t) : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  %8 = "stablehlo.async_start"(%x) ({
  ^bb0(%arg: tensor<2xf32>):
    %9 = "stablehlo.collective_permute"(%arg) <{source_target_pairs = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<2xf32>) -> tensor<2xf32>
    stablehlo.return %9 : tensor<2xf32>
  }) : (tensor<2xf32>) -> !stablehlo.future<tensor<2xf32>>
  %10 = "stablehlo.async_done"(%8) : (!stablehlo.future<tensor<2xf32>>) -> tensor<2xf32>
  %a = stablehlo.replica_id : tensor<ui32>
  %b = stablehlo.replica_id : tensor<ui32>
  %c = stablehlo.partition_id : tensor<ui32>
  return %a, %b : tensor<ui32>, tensor<ui32>
}
