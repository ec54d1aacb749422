// RUN: stepwell-opt %s --split-input-file --prepare-entry --verify-diagnostics

// expected-error @+1 {{no entry function @main; the module has: @mian, @other}}
module {
  func.func @mian(%a: tensor<f32>) -> tensor<f32> {
    return %a : tensor<f32>
  }
  func.func @other(%a: tensor<f32>) -> tensor<f32> {
    return %a : tensor<f32>
  }
}

// -----

// expected-error @+1 {{no entry function @main; the module has no function with a body}}
module {
}

// -----

// expected-error @+1 {{'func.func' op @main is not supported as the entry: argument 1 has type f32; only ranked tensors are passed to an entry}}
func.func @main(%a: tensor<f32>, %b: f32) -> tensor<f32> {
  return %a : tensor<f32>
}

// -----

// expected-error @+1 {{it is called by the module itself, and has tuples or tokens in its signature}}
func.func @main(%t: !stablehlo.token, %a: tensor<f32>) -> tensor<f32> {
  return %a : tensor<f32>
}
func.func @other(%t: !stablehlo.token, %a: tensor<f32>) -> tensor<f32> {
  %0 = func.call @main(%t, %a) : (!stablehlo.token, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// expected-error @+1 {{argument 0 has type memref<4xf32>; only ranked tensors}}
func.func @main(%a: memref<4xf32>) {
  return
}

// -----

// expected-error @+1 {{argument 0 has type tensor<*xf32>; only ranked tensors}}
func.func @main(%a: tensor<*xf32>) -> tensor<*xf32> {
  return %a : tensor<*xf32>
}

// -----

// expected-error @+1 {{argument 0 has type tensor<?x4xf32>; its shape must be known}}
func.func @main(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %a : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{argument 0 has type tensor<4xi7>; no array has elements of type i7}}
func.func @main(%a: tensor<4xi7>) -> tensor<4xi7> {
  return %a : tensor<4xi7>
}
