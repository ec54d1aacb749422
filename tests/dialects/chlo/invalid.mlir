// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @extents(%x: tensor<3xf32>, %y: tensor<4xf32>) {
  // expected-error @+1 {{chlo.broadcast_add: C2: extents 3 and 4 do not broadcast}}
  %0 = chlo.broadcast_add %x, %y : (tensor<3xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @dimensions(%x: tensor<3xf32>, %y: tensor<3x4xf32>) {
  // expected-error @+1 {{chlo.broadcast_add: C1: broadcast_dimensions = [2] do not place 1 dims in 2}}
  %0 = chlo.broadcast_add %x, %y {broadcast_dimensions = array<i64: 2>} : (tensor<3xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @types(%x: tensor<3xf32>, %y: tensor<3xf64>) {
  // expected-error @+1 {{chlo.broadcast_add: C3: lhs has type tensor<3xf32>, rhs tensor<3xf64>}}
  %0 = chlo.broadcast_add %x, %y : (tensor<3xf32>, tensor<3xf64>) -> tensor<3xf32>
  return
}

// -----

func.func @result(%x: tensor<3xf32>) {
  // expected-error @+1 {{chlo.broadcast_compare: C3: result has type tensor<3xf32>, expected tensor<3xi1>}}
  %0 = chlo.broadcast_compare %x, %x {comparison_direction = #chlo<comparison_direction EQ>} : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @kind(%x: tensor<3xf32>) {
  // expected-error @+1 {{chlo.broadcast_shift_left: I1: lhs has element type f32}}
  %0 = chlo.broadcast_shift_left %x, %x : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @predicate(%x: tensor<3xf32>) {
  // expected-error @+1 {{chlo.broadcast_select: I1: pred has element type f32}}
  %0 = chlo.broadcast_select %x, %x, %x : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @branches(%p: tensor<3xi1>, %x: tensor<3xf32>, %y: tensor<3xf64>) {
  // expected-error @+1 {{chlo.broadcast_select: C3: on_true has type tensor<3xf32>, on_false tensor<3xf64>}}
  %0 = chlo.broadcast_select %p, %x, %y : (tensor<3xi1>, tensor<3xf32>, tensor<3xf64>) -> tensor<3xf64>
  return
}

// -----

func.func @kernel(%x: tensor<3xf32>) {
  // expected-error @+1 {{chlo._asin_acos_kernel: I1: operand has element type f32, expected complex}}
  %0 = chlo._asin_acos_kernel %x : tensor<3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @scan_dimension(%x: tensor<4xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{chlo.scan: C2: dimension = 1 must be a dimension of every input, got tensor<4xi32>}}
  %0:2 = chlo.scan(%x) inits (%c) dimension=1 {
  ^bb0(%input: tensor<i32>, %carry: tensor<i32>):
    stablehlo.return %input, %carry : tensor<i32>, tensor<i32>
  } : (tensor<4xi32>, tensor<i32>) -> (tensor<4xi32>, tensor<i32>)
  return
}

// -----

func.func @scan_extents(%x: tensor<4xi32>, %y: tensor<5xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{chlo.scan: C3: extents along the dimension differ: [4, 5]}}
  %0:2 = chlo.scan(%x, %y) inits (%c) dimension=0 {
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %carry: tensor<i32>):
    stablehlo.return %a, %carry : tensor<i32>, tensor<i32>
  } : (tensor<4xi32>, tensor<5xi32>, tensor<i32>) -> (tensor<4xi32>, tensor<i32>)
  return
}

// -----

func.func @scan_arguments(%x: tensor<4xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{chlo.scan: C4: body takes (tensor<4xi32>, tensor<i32>), expected (tensor<i32>, tensor<i32>)}}
  %0:2 = chlo.scan(%x) inits (%c) dimension=0 {
  ^bb0(%input: tensor<4xi32>, %carry: tensor<i32>):
    stablehlo.return %carry, %carry : tensor<i32>, tensor<i32>
  } : (tensor<4xi32>, tensor<i32>) -> (tensor<4xi32>, tensor<i32>)
  return
}

// -----

func.func @scan_returns(%x: tensor<4xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{chlo.scan: C5: body returns 1 values, the op has 2 results}}
  %0:2 = chlo.scan(%x) inits (%c) dimension=0 {
  ^bb0(%input: tensor<i32>, %carry: tensor<i32>):
    stablehlo.return %carry : tensor<i32>
  } : (tensor<4xi32>, tensor<i32>) -> (tensor<4xi32>, tensor<i32>)
  return
}

// -----

func.func @scan_result(%x: tensor<4xi32>, %c: tensor<i32>) {
  // expected-error @+1 {{chlo.scan: C6: result has type tensor<5xi32>, expected tensor<4xi32>}}
  %0:2 = chlo.scan(%x) inits (%c) dimension=0 {
  ^bb0(%input: tensor<i32>, %carry: tensor<i32>):
    stablehlo.return %input, %carry : tensor<i32>, tensor<i32>
  } : (tensor<4xi32>, tensor<i32>) -> (tensor<5xi32>, tensor<i32>)
  return
}

// -----

func.func @scan_nothing(%c: tensor<i32>) {
  // expected-error @+1 {{chlo.scan: C1: there must be an input or an output}}
  %0 = chlo.scan() inits (%c) dimension=0 {
  ^bb0(%carry: tensor<i32>):
    stablehlo.return %carry : tensor<i32>
  } : (tensor<i32>) -> tensor<i32>
  return
}

// -----

func.func @ragged_sizes(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{chlo.ragged_dot: C1: group_sizes has element type f32}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3xf32>) -> tensor<11x7xf32>
  return
}

// -----

func.func @ragged_none(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C2: lhs must have exactly one ragged dimension}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3xi64>) -> tensor<11x7xf32>
  return
}

// -----

func.func @ragged_groups(%a: tensor<11x5xf32>, %b: tensor<5x7xf32>, %s: tensor<3xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C3: rhs must have 1 group dimensions, got []}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0], lhs_ragged_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<5x7xf32>, tensor<3xi64>) -> tensor<11x7xf32>
  return
}

// -----

func.func @ragged_group_contracted(%a: tensor<11x3xf32>, %b: tensor<3x3x7xf32>, %s: tensor<3xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C4: rhs_group_dimensions = [1] must be dims of rhs that are not batched or contracted}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [1]>}> : (tensor<11x3xf32>, tensor<3x3x7xf32>, tensor<3xi64>) -> tensor<11x7xf32>
  return
}

// -----

func.func @ragged_shape(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3x2xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C5: group_sizes has shape [3, 2], expected [2] or [2]}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3x2xi64>) -> tensor<11x7xf32>
  return
}

// -----

func.func @ragged_count(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<2xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C6: rhs has 3 groups, group_sizes 2}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<2xi64>) -> tensor<11x7xf32>
  return
}

// -----

func.func @ragged_result(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C7: result has type tensor<11x8xf32>, expected tensor<11x7xf32>}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3xi64>) -> tensor<11x8xf32>
  return
}

// -----

func.func @ragged_precision(%a: tensor<11x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3xi64>) {
  // expected-error @+1 {{chlo.ragged_dot: C8: precision_config must have at most two precisions}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{precision_config = [1 : i32], ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<11x5xf32>, tensor<3x5x7xf32>, tensor<3xi64>) -> tensor<11x7xf32>
  return
}
