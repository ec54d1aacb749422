// expect: ok
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 2, 1>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 2, 1>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 2>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 2, 1, 0>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 3, 1>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 2, -1>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 1, 1>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<1x3xi32>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 1, 2>}> : (tensor<1x3xi32>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x3x!quant.uniform<i8:f32, 0.25>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<3x2x!quant.uniform<u8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.5:1}>>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) {
  %r = "stablehlo.broadcast_in_dim"(%x) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.5}>>
  func.return
}
