// expect: ok
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1, 0>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 3, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, -1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 1, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 1, 2>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<2xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 0>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0, 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 2>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: -1>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 2>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2, 3, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: -1>}> : (tensor<1x3xi64>, tensor<3xi64>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<1x3xi64>) {
  %s = stablehlo.constant dense<[2.0, 3.0, 2.0]> : tensor<3xf32>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 2, 1>, known_expanding_dimensions = array<i64: 0>, known_nonexpanding_dimensions = array<i64: 1>}> : (tensor<1x3xi64>, tensor<3xf32>) -> tensor<2x3x2xi64>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<2xi64>) -> tensor<3x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32, 0.5>>) {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32, 0.5>>, tensor<2xi64>) -> tensor<2x3x!quant.uniform<i8:f32, 0.25>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32, 0.5>>) {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32, 0.5>>, tensor<2xi64>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<2xi64>) -> tensor<3x2x!quant.uniform<u8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[2, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<2xi64>) -> tensor<2x2x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>, tensor<2xi64>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>) {
  %s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_broadcast_in_dim"(%x, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x3x!quant.uniform<i8:f32:0, {0.5}>>, tensor<2xi64>) -> tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.5:1}>>
  func.return
}
