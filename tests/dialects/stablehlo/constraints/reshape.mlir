// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reshape"(%x) : (tensor<2x3xf32>) -> tensor<6xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reshape"(%x) : (tensor<2x3xf32>) -> tensor<6xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reshape"(%x) : (tensor<2x3xf32>) -> tensor<5xf32>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x3x2x4x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<6x2x!quant.uniform<i8:f32, 0.5>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<6x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x6x!quant.uniform<i8:f32, 0.25>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x3x2x4x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x3x2x4x!quant.uniform<i8:f32:2, {0.5, 0.5}>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<6x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x3x2x4x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  %r = "stablehlo.reshape"(%x) : (tensor<4x2x2x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<4x2x2x!quant.uniform<i8:f32:2, {0.5, 0.25}>>
  func.return
}
