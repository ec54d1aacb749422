// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(drop-distribution)'

module attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  func.func @f() -> tensor<ui32> {
    // expected-error @+1 {{'stablehlo.partition_id' op is not supported: it needs 2 processes}}
    %p = stablehlo.partition_id : tensor<ui32>
    return %p : tensor<ui32>
  }
}

// -----

func.func @unknown_grid(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'stablehlo.all_gather' op is not supported: the module does not say that one process runs it (mhlo.num_replicas = 1 and mhlo.num_partitions = 1)}}
  %0 = "stablehlo.all_gather"(%x) <{all_gather_dim = 0 : i64, replica_groups = dense<0> : tensor<1x1xi64>}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

module attributes {mhlo.num_partitions = 8 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["a"=8]>
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error @+1 {{'sdy.manual_computation' op is not supported: its body runs on each of 8 devices}}
    %m = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}]>] out_shardings=[<@mesh, [{"a"}]>] manual_axes={"a"} (%part: tensor<1xf32>) {
      sdy.return %part : tensor<1xf32>
    } : (tensor<8xf32>) -> tensor<8xf32>
    return %m : tensor<8xf32>
  }
}

// -----

func.func @host(%t: !stablehlo.token) -> !stablehlo.token {
  // expected-error @+1 {{'stablehlo.infeed' op is not supported: takes data from the host while it runs}}
  %0:2 = "stablehlo.infeed"(%t) <{infeed_config = ""}> : (!stablehlo.token) -> (tensor<2xi64>, !stablehlo.token)
  return %0#1 : !stablehlo.token
}

// -----

func.func @future(%x: tensor<4xf32>) -> !stablehlo.future<tensor<2xf32>> {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<4xf32>):
    %s = stablehlo.slice %a [0:2] : (tensor<4xf32>) -> tensor<2xf32>
    stablehlo.return %s : tensor<2xf32>
  }) : (tensor<4xf32>) -> !stablehlo.future<tensor<2xf32>>
  // expected-error @+1 {{a future goes from stablehlo.async_start to stablehlo.async_done only}}
  return %f : !stablehlo.future<tensor<2xf32>>
}
