module @jit_crc32 attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<20xui8>) -> (tensor<ui32> {jax.result_info = "result"}) {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<4294967295> : tensor<ui32>
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %0:4 = stablehlo.while(%iterArg = %arg0, %iterArg_2 = %c_1, %iterArg_3 = %c, %iterArg_4 = %c_0) : tensor<20xui8>, tensor<i32>, tensor<i32>, tensor<ui32>
    cond {
      %c_5 = stablehlo.constant dense<20> : tensor<i32>
      %2 = stablehlo.compare LT, %iterArg_2, %c_5, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %2 : tensor<i1>
    } do {
      %2:2 = func.call @closed_call(%iterArg, %iterArg_3, %iterArg_4) : (tensor<20xui8>, tensor<i32>, tensor<ui32>) -> (tensor<i32>, tensor<ui32>)
      %c_5 = stablehlo.constant dense<1> : tensor<i32>
      %3 = stablehlo.add %iterArg_2, %c_5 : tensor<i32>
      stablehlo.return %iterArg, %3, %2#0, %2#1 : tensor<20xui8>, tensor<i32>, tensor<i32>, tensor<ui32>
    }
    %1 = stablehlo.not %0#3 : tensor<ui32>
    return %1 : tensor<ui32>
  }
  func.func private @closed_call(%arg0: tensor<20xui8>, %arg1: tensor<i32>, %arg2: tensor<ui32>) -> (tensor<i32>, tensor<ui32>) {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %0 = stablehlo.add %arg1, %c : tensor<i32>
    %c_0 = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.compare LT, %arg1, %c_0, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %2 = stablehlo.convert %arg1 : tensor<i32>
    %c_1 = stablehlo.constant dense<20> : tensor<i32>
    %3 = stablehlo.add %2, %c_1 : tensor<i32>
    %4 = stablehlo.select %1, %3, %arg1 : tensor<i1>, tensor<i32>
    %5 = stablehlo.dynamic_slice %arg0, %4, sizes = [1] : (tensor<20xui8>, tensor<i32>) -> tensor<1xui8>
    %6 = stablehlo.reshape %5 : (tensor<1xui8>) -> tensor<ui8>
    %7 = stablehlo.convert %6 : (tensor<ui8>) -> tensor<ui32>
    %8 = stablehlo.xor %arg2, %7 : tensor<ui32>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %c_3 = stablehlo.constant dense<0> : tensor<i32>
    %9:3 = stablehlo.while(%iterArg = %c_3, %iterArg_4 = %c_2, %iterArg_5 = %8) : tensor<i32>, tensor<i32>, tensor<ui32>
    cond {
      %c_6 = stablehlo.constant dense<8> : tensor<i32>
      %10 = stablehlo.compare LT, %iterArg, %c_6, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %10 : tensor<i1>
    } do {
      %10:2 = func.call @closed_call_0(%iterArg_4, %iterArg_5) : (tensor<i32>, tensor<ui32>) -> (tensor<i32>, tensor<ui32>)
      %c_6 = stablehlo.constant dense<1> : tensor<i32>
      %11 = stablehlo.add %iterArg, %c_6 : tensor<i32>
      stablehlo.return %11, %10#0, %10#1 : tensor<i32>, tensor<i32>, tensor<ui32>
    }
    return %0, %9#2 : tensor<i32>, tensor<ui32>
  }
  func.func private @closed_call_0(%arg0: tensor<i32>, %arg1: tensor<ui32>) -> (tensor<i32>, tensor<ui32>) {
    %c = stablehlo.constant dense<1> : tensor<i32>
    %0 = stablehlo.add %arg0, %c : tensor<i32>
    %c_0 = stablehlo.constant dense<1> : tensor<ui32>
    %1 = stablehlo.and %arg1, %c_0 : tensor<ui32>
    %c_1 = stablehlo.constant dense<1> : tensor<ui32>
    %2 = stablehlo.shift_right_logical %arg1, %c_1 : tensor<ui32>
    %c_2 = stablehlo.constant dense<3988292384> : tensor<ui32>
    %3 = stablehlo.xor %2, %c_2 : tensor<ui32>
    %c_3 = stablehlo.constant dense<1> : tensor<ui32>
    %4 = stablehlo.shift_right_logical %arg1, %c_3 : tensor<ui32>
    %5 = call @_where(%1, %3, %4) : (tensor<ui32>, tensor<ui32>, tensor<ui32>) -> tensor<ui32>
    return %0, %5 : tensor<i32>, tensor<ui32>
  }
  func.func private @_where(%arg0: tensor<ui32>, %arg1: tensor<ui32>, %arg2: tensor<ui32>) -> tensor<ui32> {
    %c = stablehlo.constant dense<0> : tensor<ui32>
    %0 = stablehlo.compare NE, %arg0, %c, UNSIGNED : (tensor<ui32>, tensor<ui32>) -> tensor<i1>
    %1 = stablehlo.select %0, %arg1, %arg2 : tensor<i1>, tensor<ui32>
    return %1 : tensor<ui32>
  }
}
