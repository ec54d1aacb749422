// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --convert-chlo-to-stablehlo

func.func @broadcast(%x: tensor<?xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'chlo.broadcast_add' op is not supported: implicit broadcasting of dynamic shapes}}
  %0 = chlo.broadcast_add %x, %y : (tensor<?xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @scan(%x: tensor<?xi32>, %c: tensor<i32>) -> tensor<i32> {
  // expected-error @+1 {{'chlo.scan' op is not supported: a scan of dynamic shapes}}
  %0:2 = chlo.scan(%x) inits (%c) dimension=0 {
  ^bb0(%input: tensor<i32>, %carry: tensor<i32>):
    stablehlo.return %input, %carry : tensor<i32>, tensor<i32>
  } : (tensor<?xi32>, tensor<i32>) -> (tensor<?xi32>, tensor<i32>)
  return %0#1 : tensor<i32>
}

// -----

func.func @zeta(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{'chlo.zeta' op is not supported: dynamic shape tensor<?xf32>}}
  %0 = chlo.zeta %x, %x : tensor<?xf32>, tensor<?xf32> -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @top_k(%x: tensor<?x9xf32>) -> tensor<?x3xf32> {
  // expected-error @+1 {{'chlo.top_k' op is not supported: the largest elements of a dynamic shape}}
  %v, %i = chlo.top_k(%x, k = 3) : tensor<?x9xf32> -> (tensor<?x3xf32>, tensor<?x3xi32>)
  return %v : tensor<?x3xf32>
}

// -----

func.func @constant(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{'chlo.constant_like' op is not supported: a constant of dynamic shape tensor<?xf32>}}
  %0 = "chlo.constant_like"(%x) <{value = 2.0 : f32}> : (tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @ragged(%a: tensor<?x5xf32>, %b: tensor<3x5x7xf32>, %s: tensor<3xi64>) -> tensor<?x7xf32> {
  // expected-error @+1 {{'chlo.ragged_dot' op is not supported: ragged products of dynamic shapes}}
  %0 = "chlo.ragged_dot"(%a, %b, %s) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<?x5xf32>, tensor<3x5x7xf32>, tensor<3xi64>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
}
