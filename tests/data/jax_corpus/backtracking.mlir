module @jit_backtracking attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x4xi32>) -> (tensor<4x4xi32> {jax.result_info = "result[0]"}, tensor<i32> {jax.result_info = "result[1]"}) {
    %c = stablehlo.constant dense<0> : tensor<i32>
    %c_0 = stablehlo.constant dense<1> : tensor<i32>
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %0:5 = stablehlo.while(%iterArg = %arg0, %iterArg_2 = %arg0, %iterArg_3 = %c, %iterArg_4 = %c_0, %iterArg_5 = %c_1) : tensor<4x4xi32>, tensor<4x4xi32>, tensor<i32>, tensor<i32>, tensor<i32>
    cond {
      %c_6 = stablehlo.constant dense<16> : tensor<i32>
      %1 = stablehlo.compare LT, %iterArg_3, %c_6, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %c_7 = stablehlo.constant dense<3000> : tensor<i32>
      %2 = stablehlo.compare LT, %iterArg_5, %c_7, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %3 = stablehlo.and %1, %2 : tensor<i1>
      stablehlo.return %3 : tensor<i1>
    } do {
      %c_6 = stablehlo.constant dense<4> : tensor<i32>
      %1 = func.call @floor_divide(%iterArg_3, %c_6) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      %c_7 = stablehlo.constant dense<4> : tensor<i32>
      %2 = func.call @remainder(%iterArg_3, %c_7) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      %c_8 = stablehlo.constant dense<0> : tensor<i32>
      %3 = stablehlo.compare LT, %1, %c_8, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %c_9 = stablehlo.constant dense<4> : tensor<i32>
      %4 = stablehlo.add %1, %c_9 : tensor<i32>
      %5 = stablehlo.select %3, %4, %1 : tensor<i1>, tensor<i32>
      %c_10 = stablehlo.constant dense<0> : tensor<i32>
      %6 = stablehlo.compare LT, %2, %c_10, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %c_11 = stablehlo.constant dense<4> : tensor<i32>
      %7 = stablehlo.add %2, %c_11 : tensor<i32>
      %8 = stablehlo.select %6, %7, %2 : tensor<i1>, tensor<i32>
      %9 = stablehlo.dynamic_slice %iterArg, %5, %8, sizes = [1, 1] : (tensor<4x4xi32>, tensor<i32>, tensor<i32>) -> tensor<1x1xi32>
      %10 = stablehlo.reshape %9 : (tensor<1x1xi32>) -> tensor<i32>
      %c_12 = stablehlo.constant dense<0> : tensor<i32>
      %11 = stablehlo.compare GT, %10, %c_12, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      %12 = stablehlo.convert %11 : (tensor<i1>) -> tensor<i32>
      %13:3 = "stablehlo.case"(%12) ({
        %c_14 = stablehlo.constant dense<0> : tensor<i32>
        %15 = stablehlo.compare LT, %1, %c_14, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %c_15 = stablehlo.constant dense<4> : tensor<i32>
        %16 = stablehlo.add %1, %c_15 : tensor<i32>
        %17 = stablehlo.select %15, %16, %1 : tensor<i1>, tensor<i32>
        %c_16 = stablehlo.constant dense<0> : tensor<i32>
        %18 = stablehlo.compare LT, %2, %c_16, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %c_17 = stablehlo.constant dense<4> : tensor<i32>
        %19 = stablehlo.add %2, %c_17 : tensor<i32>
        %20 = stablehlo.select %18, %19, %2 : tensor<i1>, tensor<i32>
        %21 = stablehlo.broadcast_in_dim %17, dims = [] : (tensor<i32>) -> tensor<1xi32>
        %22 = stablehlo.broadcast_in_dim %20, dims = [] : (tensor<i32>) -> tensor<1xi32>
        %23 = stablehlo.concatenate %21, %22, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
        %c_18 = stablehlo.constant dense<0> : tensor<i32>
        %24 = "stablehlo.scatter"(%iterArg_2, %23, %c_18) <{indices_are_sorted = true, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0, 1], scatter_dims_to_operand_dims = [0, 1]>, unique_indices = true}> ({
        ^bb0(%arg1: tensor<i32>, %arg2: tensor<i32>):
          stablehlo.return %arg2 : tensor<i32>
        }) : (tensor<4x4xi32>, tensor<2xi32>, tensor<i32>) -> tensor<4x4xi32>
        %c_19 = stablehlo.constant dense<0> : tensor<i32>
        %25 = stablehlo.compare LT, %1, %c_19, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %c_20 = stablehlo.constant dense<4> : tensor<i32>
        %26 = stablehlo.add %1, %c_20 : tensor<i32>
        %27 = stablehlo.select %25, %26, %1 : tensor<i1>, tensor<i32>
        %c_21 = stablehlo.constant dense<0> : tensor<i32>
        %28 = stablehlo.compare LT, %2, %c_21, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %c_22 = stablehlo.constant dense<4> : tensor<i32>
        %29 = stablehlo.add %2, %c_22 : tensor<i32>
        %30 = stablehlo.select %28, %29, %2 : tensor<i1>, tensor<i32>
        %31 = stablehlo.dynamic_slice %iterArg_2, %27, %30, sizes = [1, 1] : (tensor<4x4xi32>, tensor<i32>, tensor<i32>) -> tensor<1x1xi32>
        %32 = stablehlo.reshape %31 : (tensor<1x1xi32>) -> tensor<i32>
        %c_23 = stablehlo.constant dense<1> : tensor<i32>
        %33 = stablehlo.add %32, %c_23 : tensor<i32>
        %34:3 = stablehlo.while(%iterArg_27 = %iterArg_3, %iterArg_28 = %24, %iterArg_29 = %33) : tensor<i32>, tensor<4x4xi32>, tensor<i32>
        cond {
          %c_30 = stablehlo.constant dense<4> : tensor<i32>
          %38 = stablehlo.compare LE, %iterArg_29, %c_30, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_31 = stablehlo.constant dense<4> : tensor<i32>
          %39 = func.call @floor_divide(%iterArg_27, %c_31) : (tensor<i32>, tensor<i32>) -> tensor<i32>
          %c_32 = stablehlo.constant dense<4> : tensor<i32>
          %40 = func.call @remainder(%iterArg_27, %c_32) : (tensor<i32>, tensor<i32>) -> tensor<i32>
          %c_33 = stablehlo.constant dense<2> : tensor<i32>
          %41 = func.call @floor_divide(%39, %c_33) : (tensor<i32>, tensor<i32>) -> tensor<i32>
          %c_34 = stablehlo.constant dense<2> : tensor<i32>
          %42 = stablehlo.multiply %41, %c_34 : tensor<i32>
          %c_35 = stablehlo.constant dense<2> : tensor<i32>
          %43 = func.call @floor_divide(%40, %c_35) : (tensor<i32>, tensor<i32>) -> tensor<i32>
          %c_36 = stablehlo.constant dense<2> : tensor<i32>
          %44 = stablehlo.multiply %43, %c_36 : tensor<i32>
          %c_37 = stablehlo.constant dense<0> : tensor<i32>
          %45 = stablehlo.compare LT, %42, %c_37, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_38 = stablehlo.constant dense<4> : tensor<i32>
          %46 = stablehlo.add %42, %c_38 : tensor<i32>
          %47 = stablehlo.select %45, %46, %42 : tensor<i1>, tensor<i32>
          %c_39 = stablehlo.constant dense<0> : tensor<i32>
          %48 = stablehlo.compare LT, %44, %c_39, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_40 = stablehlo.constant dense<4> : tensor<i32>
          %49 = stablehlo.add %44, %c_40 : tensor<i32>
          %50 = stablehlo.select %48, %49, %44 : tensor<i1>, tensor<i32>
          %51 = stablehlo.dynamic_slice %iterArg_28, %47, %50, sizes = [2, 2] : (tensor<4x4xi32>, tensor<i32>, tensor<i32>) -> tensor<2x2xi32>
          %c_41 = stablehlo.constant dense<0> : tensor<i32>
          %52 = stablehlo.compare LT, %39, %c_41, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_42 = stablehlo.constant dense<4> : tensor<i32>
          %53 = stablehlo.add %39, %c_42 : tensor<i32>
          %54 = stablehlo.select %52, %53, %39 : tensor<i1>, tensor<i32>
          %c_43 = stablehlo.constant dense<0> : tensor<i32>
          %c_44 = stablehlo.constant dense<0> : tensor<i32>
          %55 = stablehlo.compare LT, %c_43, %c_44, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_45 = stablehlo.constant dense<0> : tensor<i32>
          %c_46 = stablehlo.constant dense<4> : tensor<i32>
          %56 = stablehlo.add %c_45, %c_46 : tensor<i32>
          %c_47 = stablehlo.constant dense<0> : tensor<i32>
          %57 = stablehlo.select %55, %56, %c_47 : tensor<i1>, tensor<i32>
          %58 = stablehlo.dynamic_slice %iterArg_28, %54, %57, sizes = [1, 4] : (tensor<4x4xi32>, tensor<i32>, tensor<i32>) -> tensor<1x4xi32>
          %59 = stablehlo.reshape %58 : (tensor<1x4xi32>) -> tensor<4xi32>
          %60 = stablehlo.broadcast_in_dim %iterArg_29, dims = [] : (tensor<i32>) -> tensor<4xi32>
          %61 = stablehlo.compare EQ, %59, %60, SIGNED : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
          %c_48 = stablehlo.constant dense<false> : tensor<i1>
          %62 = stablehlo.reduce(%61 init: %c_48) applies stablehlo.or across dimensions = [0] : (tensor<4xi1>, tensor<i1>) -> tensor<i1>
          %c_49 = stablehlo.constant dense<0> : tensor<i32>
          %c_50 = stablehlo.constant dense<0> : tensor<i32>
          %63 = stablehlo.compare LT, %c_49, %c_50, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_51 = stablehlo.constant dense<0> : tensor<i32>
          %c_52 = stablehlo.constant dense<4> : tensor<i32>
          %64 = stablehlo.add %c_51, %c_52 : tensor<i32>
          %c_53 = stablehlo.constant dense<0> : tensor<i32>
          %65 = stablehlo.select %63, %64, %c_53 : tensor<i1>, tensor<i32>
          %c_54 = stablehlo.constant dense<0> : tensor<i32>
          %66 = stablehlo.compare LT, %40, %c_54, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_55 = stablehlo.constant dense<4> : tensor<i32>
          %67 = stablehlo.add %40, %c_55 : tensor<i32>
          %68 = stablehlo.select %66, %67, %40 : tensor<i1>, tensor<i32>
          %69 = stablehlo.dynamic_slice %iterArg_28, %65, %68, sizes = [4, 1] : (tensor<4x4xi32>, tensor<i32>, tensor<i32>) -> tensor<4x1xi32>
          %70 = stablehlo.reshape %69 : (tensor<4x1xi32>) -> tensor<4xi32>
          %71 = stablehlo.broadcast_in_dim %iterArg_29, dims = [] : (tensor<i32>) -> tensor<4xi32>
          %72 = stablehlo.compare EQ, %70, %71, SIGNED : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi1>
          %c_56 = stablehlo.constant dense<false> : tensor<i1>
          %73 = stablehlo.reduce(%72 init: %c_56) applies stablehlo.or across dimensions = [0] : (tensor<4xi1>, tensor<i1>) -> tensor<i1>
          %74 = stablehlo.or %62, %73 : tensor<i1>
          %75 = stablehlo.broadcast_in_dim %iterArg_29, dims = [] : (tensor<i32>) -> tensor<2x2xi32>
          %76 = stablehlo.compare EQ, %51, %75, SIGNED : (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<2x2xi1>
          %c_57 = stablehlo.constant dense<false> : tensor<i1>
          %77 = stablehlo.reduce(%76 init: %c_57) applies stablehlo.or across dimensions = [0, 1] : (tensor<2x2xi1>, tensor<i1>) -> tensor<i1>
          %78 = stablehlo.or %74, %77 : tensor<i1>
          %79 = stablehlo.not %78 : tensor<i1>
          %80 = stablehlo.not %79 : tensor<i1>
          %81 = stablehlo.and %38, %80 : tensor<i1>
          stablehlo.return %81 : tensor<i1>
        } do {
          %c_30 = stablehlo.constant dense<1> : tensor<i32>
          %38 = stablehlo.add %iterArg_29, %c_30 : tensor<i32>
          stablehlo.return %iterArg_27, %iterArg_28, %38 : tensor<i32>, tensor<4x4xi32>, tensor<i32>
        }
        %c_24 = stablehlo.constant dense<4> : tensor<i32>
        %35 = stablehlo.compare LE, %34#2, %c_24, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        %36 = stablehlo.convert %35 : (tensor<i1>) -> tensor<i32>
        %c_25 = stablehlo.constant dense<1> : tensor<i32>
        %c_26 = stablehlo.constant dense<-1> : tensor<i32>
        %37:3 = "stablehlo.case"(%36) ({
          %c_27 = stablehlo.constant dense<1> : tensor<i32>
          %38 = stablehlo.subtract %iterArg_3, %c_27 : tensor<i32>
          stablehlo.return %24, %38, %c_26 : tensor<4x4xi32>, tensor<i32>, tensor<i32>
        }, {
          %c_27 = stablehlo.constant dense<0> : tensor<i32>
          %38 = stablehlo.compare LT, %1, %c_27, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_28 = stablehlo.constant dense<4> : tensor<i32>
          %39 = stablehlo.add %1, %c_28 : tensor<i32>
          %40 = stablehlo.select %38, %39, %1 : tensor<i1>, tensor<i32>
          %c_29 = stablehlo.constant dense<0> : tensor<i32>
          %41 = stablehlo.compare LT, %2, %c_29, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          %c_30 = stablehlo.constant dense<4> : tensor<i32>
          %42 = stablehlo.add %2, %c_30 : tensor<i32>
          %43 = stablehlo.select %41, %42, %2 : tensor<i1>, tensor<i32>
          %44 = stablehlo.broadcast_in_dim %40, dims = [] : (tensor<i32>) -> tensor<1xi32>
          %45 = stablehlo.broadcast_in_dim %43, dims = [] : (tensor<i32>) -> tensor<1xi32>
          %46 = stablehlo.concatenate %44, %45, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
          %47 = "stablehlo.scatter"(%iterArg_2, %46, %34#2) <{indices_are_sorted = true, scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0, 1], scatter_dims_to_operand_dims = [0, 1]>, unique_indices = true}> ({
          ^bb0(%arg1: tensor<i32>, %arg2: tensor<i32>):
            stablehlo.return %arg2 : tensor<i32>
          }) : (tensor<4x4xi32>, tensor<2xi32>, tensor<i32>) -> tensor<4x4xi32>
          %c_31 = stablehlo.constant dense<1> : tensor<i32>
          %48 = stablehlo.add %iterArg_3, %c_31 : tensor<i32>
          stablehlo.return %47, %48, %c_25 : tensor<4x4xi32>, tensor<i32>, tensor<i32>
        }) : (tensor<i32>) -> (tensor<4x4xi32>, tensor<i32>, tensor<i32>)
        stablehlo.return %37#0, %37#1, %37#2 : tensor<4x4xi32>, tensor<i32>, tensor<i32>
      }, {
        %15 = stablehlo.add %iterArg_3, %iterArg_4 : tensor<i32>
        stablehlo.return %iterArg_2, %15, %iterArg_4 : tensor<4x4xi32>, tensor<i32>, tensor<i32>
      }) : (tensor<i32>) -> (tensor<4x4xi32>, tensor<i32>, tensor<i32>)
      %c_13 = stablehlo.constant dense<1> : tensor<i32>
      %14 = stablehlo.add %iterArg_5, %c_13 : tensor<i32>
      stablehlo.return %iterArg, %13#0, %13#1, %13#2, %14 : tensor<4x4xi32>, tensor<4x4xi32>, tensor<i32>, tensor<i32>, tensor<i32>
    }
    return %0#1, %0#4 : tensor<4x4xi32>, tensor<i32>
  }
  func.func private @floor_divide(%arg0: tensor<i32>, %arg1: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.convert %arg1 : tensor<i32>
    %1 = stablehlo.divide %arg0, %0 : tensor<i32>
    %2 = stablehlo.sign %arg0 : tensor<i32>
    %3 = stablehlo.sign %0 : tensor<i32>
    %4 = stablehlo.compare NE, %2, %3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %5 = stablehlo.remainder %arg0, %0 : tensor<i32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %6 = stablehlo.compare NE, %5, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %7 = stablehlo.and %4, %6 : tensor<i1>
    %c_0 = stablehlo.constant dense<1> : tensor<i32>
    %8 = stablehlo.subtract %1, %c_0 : tensor<i32>
    %9 = call @_where(%7, %8, %1) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    return %9 : tensor<i32>
  }
  func.func private @_where(%arg0: tensor<i1>, %arg1: tensor<i32>, %arg2: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.select %arg0, %arg1, %arg2 : tensor<i1>, tensor<i32>
    return %0 : tensor<i32>
  }
  func.func private @remainder(%arg0: tensor<i32>, %arg1: tensor<i32>) -> tensor<i32> {
    %0 = stablehlo.convert %arg1 : tensor<i32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %1 = stablehlo.compare EQ, %0, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %c_0 = stablehlo.constant dense<1> : tensor<i32>
    %2 = call @_where(%1, %c_0, %0) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    %3 = stablehlo.remainder %arg0, %2 : tensor<i32>
    %c_1 = stablehlo.constant dense<0> : tensor<i32>
    %4 = stablehlo.compare NE, %3, %c_1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %c_2 = stablehlo.constant dense<0> : tensor<i32>
    %5 = stablehlo.compare LT, %3, %c_2, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %c_3 = stablehlo.constant dense<0> : tensor<i32>
    %6 = stablehlo.compare LT, %2, %c_3, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %7 = stablehlo.compare NE, %5, %6, UNSIGNED : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %8 = stablehlo.and %7, %4 : tensor<i1>
    %9 = stablehlo.add %3, %2 : tensor<i32>
    %10 = stablehlo.select %8, %9, %3 : tensor<i1>, tensor<i32>
    return %10 : tensor<i32>
  }
}
