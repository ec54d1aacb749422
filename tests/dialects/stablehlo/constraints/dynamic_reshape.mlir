// expect: ok
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<3x2xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<3x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<3x3xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<?x?xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<6xi64>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3.0, 2.0]> : tensor<2xf32>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xf32>) -> tensor<3x2xi64>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[2, 3, 2, 4]> : tensor<4xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<4xi64>) -> tensor<2x3x2x4x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<6x2x!quant.uniform<i8:f32, 0.5>>) {
  %s = stablehlo.constant dense<[2, 6]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<6x2x!quant.uniform<i8:f32, 0.5>>, tensor<2xi64>) -> tensor<2x6x!quant.uniform<i8:f32, 0.25>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[2, 3, 2, 4]> : tensor<4xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<4xi64>) -> tensor<2x3x2x4x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[2, 3, 2, 4]> : tensor<4xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<4xi64>) -> tensor<2x3x2x4x!quant.uniform<i8:f32:2, {0.5, 0.5}>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[2, 3, 2, 4]> : tensor<4xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<4xi64>) -> tensor<2x3x2x4x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[2, 2, 4]> : tensor<3xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<3xi64>) -> tensor<2x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %s = stablehlo.constant dense<[4, 2, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>, tensor<3xi64>) -> tensor<4x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}
