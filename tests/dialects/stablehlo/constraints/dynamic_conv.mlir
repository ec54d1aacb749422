// expect: ok
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 0>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1]]> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<1x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 0, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, -1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 1 : i64, batch_group_count = 4 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C11
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 3 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 1],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 4, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C14
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x4x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C15
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x5xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 1 : i64, batch_group_count = 2 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x4x5xf32>, tensor<2x2xi64>) -> tensor<1x4x5x5xf32>
  func.return
}

// -----

// expect: C16
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x5xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x5xf32>, tensor<2x2xi64>) -> tensor<2x4x5x5xf32>
  func.return
}

// -----

// expect: C17
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C18
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 3],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C18
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 4],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C19
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2, 4]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C20
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 3]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C20
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = -1, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C21
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 0 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C22
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 0 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C23
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 2 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C24
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C25
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x4x6xf32>
  func.return
}

// -----

// expect: C25
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<1x4x5x6xf32>
  func.return
}

// -----

// expect: C25
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x5xf32>
  func.return
}

// -----

// expect: C26
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x30xf32>
  func.return
}

// -----

// expect: C27
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf64>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf64>, tensor<2x2xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: C27
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xi32>
  func.return
}

// -----

// expect: C27
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<2x2xi64>) -> tensor<2x4x5x6xf16>
  func.return
}

// -----

// expect: I3
func.func @f(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x2x6xf32>) {
  %p = stablehlo.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 4, 4>, lhs_dilation = array<i64: 2, 2>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, true>, dimension_numbers = #stablehlo.conv<raw
        input_batch_dimension = 0, input_feature_dimension = 3, input_spatial_dimensions = [1, 2],
        kernel_input_feature_dimension = 2, kernel_output_feature_dimension = 3, kernel_spatial_dimensions = [0, 1],
        output_batch_dimension = 0, output_feature_dimension = 3, output_spatial_dimensions = [1, 2]>, feature_group_count = 2 : i64, batch_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<4xi64>) -> tensor<2x4x5x6xf32>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32, 1.0:-7>>
  func.return
}

// -----

// expect: C28
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2xf32>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2xf32>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32, 1.0:-7>>
  func.return
}

// -----

// expect: C28
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>, tensor<1x2xi64>) -> tensor<1x3x2xf32>
  func.return
}

// -----

// expect: C28
func.func @f(%x: tensor<1x5x2xf32>, %w: tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2xf32>, tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32, 1.0:-7>>
  func.return
}

// -----

// expect: C31
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i16:f32, 0.5>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i16:f32, 0.5>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32, 1.0:-7>>
  func.return
}

// -----

// expect: C32
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f16, 0.5>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f16, 0.5>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32, 1.0:-7>>
  func.return
}

// -----

// expect: C32
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f16, 0.5>>
  func.return
}

// -----

// expect: C33
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C29
func.func @f(%x: tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<1x2xi64>) -> tensor<1x3x2x!quant.uniform<i8:f32, 1.0:-7>>
  func.return
}

// -----

// expect: C30
func.func @f(%x: tensor<1x4x2x!quant.uniform<i8:f32, 0.5:4>>, %w: tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x4x2x!quant.uniform<i8:f32, 0.5:4>>, tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>, tensor<1x2xi64>) -> tensor<1x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<1x5x2xf32>, %w: tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2xf32>, tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>, tensor<1x2xi64>) -> tensor<1x3x2xf32>
  func.return
}

// -----

// expect: C34
func.func @f(%x: tensor<1x5x2xf64>, %w: tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2xf64>, tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>, tensor<1x2xi64>) -> tensor<1x3x2xf64>
  func.return
}

// -----

// expect: C34
func.func @f(%x: tensor<1x5x2xf32>, %w: tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>) {
  %p = stablehlo.constant dense<0> : tensor<1x2xi64>
  %r = "stablehlo.dynamic_conv"(%x, %w, %p) <{window_strides = array<i64: 1>, dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<1x5x2xf32>, tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>, tensor<1x2xi64>) -> tensor<1x3x2xf64>
  func.return
}
