module @jit_edit_distance attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<12xi32>, %arg1: tensor<9xi32>) -> (tensor<i32> {jax.result_info = "result"}) {
    %0 = stablehlo.iota dim = 0 : tensor<10xi32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %1:4 = stablehlo.while(%iterArg = %arg0, %iterArg_0 = %arg1, %iterArg_1 = %c, %iterArg_2 = %0) : tensor<12xi32>, tensor<9xi32>, tensor<i32>, tensor<10xi32>
    cond {
      %c_3 = stablehlo.constant dense<12> : tensor<i32>
      %4 = stablehlo.compare LT, %iterArg_1, %c_3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %4 : tensor<i1>
    } do {
      %4 = func.call @dynamic_index_in_dim(%iterArg, %iterArg_1) : (tensor<12xi32>, tensor<i32>) -> tensor<i32>
      %5 = func.call @closed_call(%iterArg_0, %iterArg_2, %4) : (tensor<9xi32>, tensor<10xi32>, tensor<i32>) -> tensor<10xi32>
      %c_3 = stablehlo.constant dense<1> : tensor<i32>
      %6 = stablehlo.add %iterArg_1, %c_3 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_0, %6, %5 : tensor<12xi32>, tensor<9xi32>, tensor<i32>, tensor<10xi32>
    }
    %2 = stablehlo.slice %1#3 [9:10] : (tensor<10xi32>) -> tensor<1xi32>
    %3 = stablehlo.reshape %2 : (tensor<1xi32>) -> tensor<i32>
    return %3 : tensor<i32>
  }
  func.func private @dynamic_index_in_dim(%arg0: tensor<12xi32>, %arg1: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.dynamic_slice %arg0, %arg1, sizes = [1] : (tensor<12xi32>, tensor<i32>) -> tensor<1xi32>
    %1 = stablehlo.reshape %0 : (tensor<1xi32>) -> tensor<i32>
    return %1 : tensor<i32>
  }
  func.func private @closed_call(%arg0: tensor<9xi32>, %arg1: tensor<10xi32>, %arg2: tensor<i32>) -> tensor<10xi32> {
    %0 = stablehlo.slice %arg1 [0:1] : (tensor<10xi32>) -> tensor<1xi32>
    %1 = stablehlo.reshape %0 : (tensor<1xi32>) -> tensor<i32>
    %c = stablehlo.constant dense<1> : tensor<i32>
    %2 = stablehlo.add %1, %c : tensor<i32>
    %3 = stablehlo.slice %arg1 [0:9] : (tensor<10xi32>) -> tensor<9xi32>
    %4 = stablehlo.slice %arg1 [1:10] : (tensor<10xi32>) -> tensor<9xi32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %5 = stablehlo.broadcast_in_dim %c_0, dims = [] : (tensor<i32>) -> tensor<9xi32>
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %6:7 = stablehlo.while(%iterArg = %arg0, %iterArg_3 = %3, %iterArg_4 = %4, %iterArg_5 = %arg2, %iterArg_6 = %c_1, %iterArg_7 = %2, %iterArg_8 = %5) : tensor<9xi32>, tensor<9xi32>, tensor<9xi32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<9xi32>
    cond {
      %c_9 = stablehlo.constant dense<9> : tensor<i32>
      %11 = stablehlo.compare LT, %iterArg_6, %c_9, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %11 : tensor<i1>
    } do {
      %11 = func.call @dynamic_index_in_dim_0(%iterArg, %iterArg_6) : (tensor<9xi32>, tensor<i32>) -> tensor<i32>
      %12 = func.call @dynamic_index_in_dim_0(%iterArg_3, %iterArg_6) : (tensor<9xi32>, tensor<i32>) -> tensor<i32>
      %13 = func.call @dynamic_index_in_dim_0(%iterArg_4, %iterArg_6) : (tensor<9xi32>, tensor<i32>) -> tensor<i32>
      %14:2 = func.call @closed_call_1(%iterArg_5, %iterArg_7, %11, %12, %13) : (tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<i32>) -> (tensor<i32>, tensor<i32>)
      %15 = func.call @dynamic_update_index_in_dim(%iterArg_8, %14#1, %iterArg_6) : (tensor<9xi32>, tensor<i32>, tensor<i32>) -> tensor<9xi32>
      %c_9 = stablehlo.constant dense<1> : tensor<i32>
      %16 = stablehlo.add %iterArg_6, %c_9 : tensor<i32>
      stablehlo.return %iterArg, %iterArg_3, %iterArg_4, %iterArg_5, %16, %14#0, %15 : tensor<9xi32>, tensor<9xi32>, tensor<9xi32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<9xi32>
    }
    %7 = stablehlo.slice %arg1 [0:1] : (tensor<10xi32>) -> tensor<1xi32>
    %c_2 = stablehlo.constant dense<1> : tensor<i32>
    %8 = stablehlo.broadcast_in_dim %c_2, dims = [] : (tensor<i32>) -> tensor<1xi32>
    %9 = stablehlo.add %7, %8 : tensor<1xi32>
    %10 = stablehlo.concatenate %9, %6#6, dim = 0 : (tensor<1xi32>, tensor<9xi32>) -> tensor<10xi32>
    return %10 : tensor<10xi32>
  }
  func.func private @dynamic_index_in_dim_0(%arg0: tensor<9xi32>, %arg1: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.dynamic_slice %arg0, %arg1, sizes = [1] : (tensor<9xi32>, tensor<i32>) -> tensor<1xi32>
    %1 = stablehlo.reshape %0 : (tensor<1xi32>) -> tensor<i32>
    return %1 : tensor<i32>
  }
  func.func private @closed_call_1(%arg0: tensor<i32>, %arg1: tensor<i32>, %arg2: tensor<i32>, %arg3: tensor<i32>, %arg4: tensor<i32>) -> (tensor<i32>, tensor<i32>) {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %0 = stablehlo.add %arg1, %c : tensor<i32>
    %c_0 = stablehlo.constant dense<1> : tensor<i32>
    %1 = stablehlo.add %arg4, %c_0 : tensor<i32>
    %2 = stablehlo.minimum %0, %1 : tensor<i32>
    %3 = stablehlo.compare NE, %arg0, %arg2, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %4 = stablehlo.convert %3 : (tensor<i1>) -> tensor<i32>
    %5 = stablehlo.add %arg3, %4 : tensor<i32>
    %6 = stablehlo.minimum %2, %5 : tensor<i32>
    return %6, %6 : tensor<i32>, tensor<i32>
  }
  func.func private @dynamic_update_index_in_dim(%arg0: tensor<9xi32>, %arg1: tensor<i32>, %arg2: tensor<i32>) -> tensor<9xi32> {
    %0 = stablehlo.broadcast_in_dim %arg1, dims = [] : (tensor<i32>) -> tensor<1xi32>
    %1 = stablehlo.dynamic_update_slice %arg0, %0, %arg2 : (tensor<9xi32>, tensor<1xi32>, tensor<i32>) -> tensor<9xi32>
    return %1 : tensor<9xi32>
  }
}
