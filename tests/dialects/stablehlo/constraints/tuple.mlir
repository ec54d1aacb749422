// expect: ok
func.func @f(%a: tensor<f32>, %b: tensor<i32>) {
  %r = "stablehlo.tuple"(%a, %b) : (tensor<f32>, tensor<i32>) -> tuple<tensor<f32>, tensor<i32>>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<f32>, %b: tensor<i32>) {
  %r = "stablehlo.tuple"(%a, %b) : (tensor<f32>, tensor<i32>) -> tuple<tensor<f32>, tensor<f32>>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<f32>, %b: tensor<i32>) {
  %r = "stablehlo.tuple"(%a, %b) : (tensor<f32>, tensor<i32>) -> tuple<tensor<f32>>
  func.return
}
