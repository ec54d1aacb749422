// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reduce_precision"(%x) <{exponent_bits = 5 : i32, mantissa_bits = 10 : i32}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reduce_precision"(%x) <{exponent_bits = 5 : i32, mantissa_bits = 10 : i32}> : (tensor<2x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reduce_precision"(%x) <{exponent_bits = 5 : i32, mantissa_bits = 10 : i32}> : (tensor<2x3xf32>) -> tensor<2x3xf64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reduce_precision"(%x) <{exponent_bits = 0 : i32, mantissa_bits = 10 : i32}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reduce_precision"(%x) <{exponent_bits = 5 : i32, mantissa_bits = -1 : i32}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2x3xi32>) {
  %r = "stablehlo.reduce_precision"(%x) <{exponent_bits = 5 : i32, mantissa_bits = 10 : i32}> : (tensor<2x3xi32>) -> tensor<2x3xi32>
  func.return
}
