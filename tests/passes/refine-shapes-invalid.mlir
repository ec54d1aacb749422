// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(refine-shapes{types="tensor<3x4xf32>","" values="1=2"})'

// expected-error @+1 {{argument 0: tensor<3x4xf32> does not refine tensor<?x5xf32>}}
func.func @main(%x: tensor<?x5xf32>, %n: tensor<i32>) -> tensor<?x5xf32> {
  return %x : tensor<?x5xf32>
}

// -----

// expected-error @+1 {{types: 2 for 1 arguments}}
func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{values: argument 1 has type tensor<f32>; only small integer tensors hold sizes}}
func.func @main(%x: tensor<?x4xf32>, %n: tensor<f32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{values: 1 numbers for argument 1 of type tensor<2xi32>}}
func.func @main(%x: tensor<?x4xf32>, %n: tensor<2xi32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{argument 0: tensor<3x4xf32> is beyond the bounds of tensor<?x4xf32, #stablehlo.bounds<2, ?>>}}
func.func @main(%x: tensor<?x4xf32, #stablehlo.bounds<2, ?>>, %n: tensor<i32>) {
  return
}

// -----

func.func @main(%x: tensor<?x?xf32>, %n: tensor<i32>) -> tensor<?xf32> {
  %t = stablehlo.transpose %x, dims = [1, 0] : (tensor<?x?xf32>) -> tensor<?x?xf32>
  // expected-error @+1 {{stablehlo.add: C1: rhs has type tensor<4x3xf32>, expected tensor<3x4xf32>}}
  %r = stablehlo.add %x, %t : tensor<?x?xf32>
  %s = stablehlo.reshape %r : (tensor<?x?xf32>) -> tensor<?xf32>
  return %s : tensor<?xf32>
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?xf32> {
  %s = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  // expected-error @+1 {{C2: operand has 12 elements, result has 2}}
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<?x4xf32>, tensor<1xi32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) {
  %three = stablehlo.constant dense<3> : tensor<i32>
  %k = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %p = stablehlo.compare GT, %k, %three : (tensor<i32>, tensor<i32>) -> tensor<i1>
  // expected-error @+1 {{shape assertion failed: 3 rows for 2, {2}}}
  stablehlo.custom_call @shape_assertion(%p, %k, %n) {error_message = "{0} rows for {1}, {2}", has_side_effect = true} : (tensor<i1>, tensor<i32>, tensor<i32>) -> ()
  return
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<?x4xf32>, tensor<f32>) -> tensor<f32>
  %p = stablehlo.compare GT, %s, %z : (tensor<f32>, tensor<f32>) -> tensor<i1>
  // expected-error @+1 {{is not supported: a shape assertion about data}}
  stablehlo.custom_call @shape_assertion(%p) {error_message = "negative", has_side_effect = true} : (tensor<i1>) -> ()
  return
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?xi32> {
  %z = stablehlo.constant dense<0.0> : tensor<f32>
  %one = stablehlo.constant dense<1> : tensor<1xi32>
  %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0, 1] : (tensor<?x4xf32>, tensor<f32>) -> tensor<f32>
  %i = stablehlo.convert %s : (tensor<f32>) -> tensor<i32>
  %v = stablehlo.reshape %i : (tensor<i32>) -> tensor<1xi32>
  %w = stablehlo.add %one, %v : tensor<1xi32>
  // expected-error @+1 {{its result has type tensor<?xi32>: the sizes in operand 0 depend on the result of 'stablehlo.convert'}}
  %r = stablehlo.dynamic_iota %w, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>
  return %r : tensor<?xi32>
}

// -----

// Recursion with unknown shapes would need copies without number.

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?x4xf32> {
  %r = func.call @f(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}
func.func private @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{is not supported: @f calls itself with shapes that are not known}}
  %r = func.call @f(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{is not supported: carry 0 goes in as tensor<3x4xf32> and comes out of its body as tensor<6x4xf32>}}
  %r = stablehlo.while(%a = %x) : tensor<?x4xf32>
  cond {
    %p = stablehlo.constant dense<true> : tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %b = stablehlo.concatenate %a, %a, dim = 0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    stablehlo.return %b : tensor<?x4xf32>
  }
  return %r : tensor<?x4xf32>
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{the shape of its result is not known: tensor<?x4xf32>}}
  %r = stablehlo.custom_call @mine(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{nothing is known of @stablehlo.dynamic_surprise}}
  %r = stablehlo.custom_call @stablehlo.dynamic_surprise(%x, %n) : (tensor<?x4xf32>, tensor<i32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

func.func @main(%x: tensor<?x4xf32>, %n: tensor<i32>) -> tensor<5x4xf32> {
  // expected-error @+1 {{for these operands its result has type tensor<6x4xf32>, not tensor<5x4xf32>}}
  %r = stablehlo.concatenate %x, %x, dim = 0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<5x4xf32>
  return %r : tensor<5x4xf32>
}
