// expect: ok
func.func @f(%a: tensor<2x3xf32>, %x: tensor<2x3xf32>, %b: tensor<f32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<3xf32>, %x: tensor<2x3xf32>, %b: tensor<f32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<3xf32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<2x3xf32>, %x: tensor<2x3xf32>, %b: tensor<2x2xf32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xf32>, %x: tensor<2x3xf32>, %b: tensor<i32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<i32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xi32>, %x: tensor<2x3xf32>, %b: tensor<f32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<2x3xi32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C4
func.func @f(%a: tensor<2x3xf32>, %x: tensor<2x3xf32>, %b: tensor<f32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x4xf32>
  func.return
}

// -----

// expect: C4
func.func @f(%a: tensor<2x3xf32>, %x: tensor<2x3xf32>, %b: tensor<f32>) {
  %r = "stablehlo.clamp"(%a, %x, %b) : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xi32>
  func.return
}
