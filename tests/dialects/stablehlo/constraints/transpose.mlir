// expect: ok
func.func @f(%x: tensor<2x3x4xi32>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 2, 1, 0>}> : (tensor<2x3x4xi32>) -> tensor<4x3x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3x4xi32>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 2, 1, 0>}> : (tensor<2x3x4xi32>) -> tensor<4x3x2xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3x4xi32>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 2, 1, 1>}> : (tensor<2x3x4xi32>) -> tensor<4x3x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3x4xi32>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 2, 1>}> : (tensor<2x3x4xi32>) -> tensor<4x3x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3x4xi32>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 3, 1, 0>}> : (tensor<2x3x4xi32>) -> tensor<4x3x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3x4xi32>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 2, 1, 0>}> : (tensor<2x3x4xi32>) -> tensor<2x3x4xi32>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 1, 2, 0>}> : (tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3x2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 1, 2, 0>}> : (tensor<2x3x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x2x2x!quant.uniform<i8:f32, 0.25>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 1, 2, 0>}> : (tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<3x2x2x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 1, 2, 0>}> : (tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<3x2x2x!quant.uniform<i8:f32:2, {0.5, 0.5}>>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) {
  %r = "stablehlo.transpose"(%x) <{permutation = array<i64: 1, 2, 0>}> : (tensor<2x3x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<3x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  func.return
}
