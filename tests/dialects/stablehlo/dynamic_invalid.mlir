// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

// What the specification does not label; the labels are in constraints/.

func.func @f(%x: tensor<4xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.dynamic_reshape: I2: output_shape has type tensor<2xf32>, expected a 1-d tensor of integers}}
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<4xf32>, tensor<2xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %s: tensor<?xi32>) {
  // expected-error @+1 {{stablehlo.dynamic_reshape: I2: output_shape has type tensor<?xi32>: the number of sizes must be known}}
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<4xf32>, tensor<?xi32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %s = stablehlo.constant dense<[2, -2]> : tensor<2xi32>
  // expected-error @+1 {{stablehlo.dynamic_reshape: C4: output_shape = [2, -2] must not be negative}}
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<4xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi32>
  // expected-error @+1 {{stablehlo.dynamic_reshape: C2: operand has 4 elements, result has 6}}
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<4xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f() {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi32>
  // expected-error @+1 {{stablehlo.dynamic_iota: C2: output_shape = [2, 3], but the result has type tensor<2x4xi32>}}
  %r = stablehlo.dynamic_iota %s, dim = 0 : (tensor<2xi32>) -> tensor<2x4xi32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<i64> {
  // expected-error @+1 {{stablehlo.get_dimension_size: O1: result has type tensor<i64>, expected tensor<i32>}}
  %r = stablehlo.get_dimension_size %x, dim = 0 : (tensor<4xf32>) -> tensor<i64>
  return %r : tensor<i64>
}

// -----

func.func @f(%x: tensor<4xf32>, %s: tensor<1xi32>) {
  // expected-error @+1 {{stablehlo.real_dynamic_slice: C1: operand has type tensor<4xf32>, result tensor<?xf64>}}
  %r = stablehlo.real_dynamic_slice %x, %s, %s, %s : (tensor<4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf64>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %s: tensor<2xi32>) {
  // expected-error @+1 {{stablehlo.real_dynamic_slice: C2: start_indices has 2 entries for rank 1}}
  %r = stablehlo.real_dynamic_slice %x, %s, %s, %s : (tensor<4xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %s = stablehlo.constant dense<2> : tensor<1xi32>
  %l = stablehlo.constant dense<5> : tensor<1xi32>
  // expected-error @+1 {{stablehlo.real_dynamic_slice: C3: dim 0: need 0 <= start <= limit <= 4, got start 2, limit 5}}
  %r = stablehlo.real_dynamic_slice %x, %s, %l, %s : (tensor<4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %s = stablehlo.constant dense<0> : tensor<1xi32>
  %l = stablehlo.constant dense<4> : tensor<1xi32>
  // expected-error @+1 {{stablehlo.real_dynamic_slice: C4: dim 0: stride 0 must be positive}}
  %r = stablehlo.real_dynamic_slice %x, %s, %l, %s : (tensor<4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %s = stablehlo.constant dense<1> : tensor<1xi32>
  %l = stablehlo.constant dense<4> : tensor<1xi32>
  // expected-error @+1 {{stablehlo.real_dynamic_slice: C5: result has type tensor<4xf32>, expected tensor<3xf32>}}
  %r = stablehlo.real_dynamic_slice %x, %s, %l, %s : (tensor<4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.set_dimension_size: C1: dimension = 1 must lie in [0, 1)}}
  %r = stablehlo.set_dimension_size %x, %n, dim = 1 : (tensor<4xf32>, tensor<i32>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %n: tensor<i64>) {
  // expected-error @+1 {{stablehlo.set_dimension_size: C2: size has type tensor<i64>, expected tensor<i32>}}
  %r = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<4xf32>, tensor<i64>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %n = stablehlo.constant dense<5> : tensor<i32>
  // expected-error @+1 {{stablehlo.set_dimension_size: C2: size 5 must lie in [0, 4]}}
  %r = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<4xf32>, tensor<i32>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2xf32>, %n: tensor<i32>) {
  // expected-error @+1 {{stablehlo.set_dimension_size: C3: result has type tensor<?x3xf32>, expected tensor<?x2xf32>}}
  %r = stablehlo.set_dimension_size %x, %n, dim = 0 : (tensor<4x2xf32>, tensor<i32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @f(%x: tensor<?xf32, #stablehlo.bounds<4>>) {
  // expected-error @+1 {{stablehlo.negate: C1: result has type tensor<5xf32>, expected tensor<?xf32, #stablehlo.bounds<4>>}}
  %r = stablehlo.negate %x : (tensor<?xf32, #stablehlo.bounds<4>>) -> tensor<5xf32>
  return
}

// -----

// expected-error @+1 {{2 bounds for a shape of rank 1}}
func.func @f(%x: tensor<?xf32, #stablehlo.bounds<4, 4>>) {
  return
}

// -----

// expected-error @+1 {{dim 0 has extent 3, so it cannot have a bound, got 4}}
func.func @f(%x: tensor<3x?xf32, #stablehlo.bounds<4, 4>>) {
  return
}

// -----

// expected-error @+1 {{expected}}
func.func @f(%x: tensor<?xf32, #stablehlo.bounds<-1>>) {
  return
}
