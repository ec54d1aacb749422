// expect: ok
func.func @f(%t: tuple<tensor<f32>, tensor<i32>>) {
  %r = "stablehlo.get_tuple_element"(%t) <{index = 1 : i32}> : (tuple<tensor<f32>, tensor<i32>>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%t: tuple<tensor<f32>, tensor<i32>>) {
  %r = "stablehlo.get_tuple_element"(%t) <{index = 2 : i32}> : (tuple<tensor<f32>, tensor<i32>>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%t: tuple<tensor<f32>, tensor<i32>>) {
  %r = "stablehlo.get_tuple_element"(%t) <{index = -1 : i32}> : (tuple<tensor<f32>, tensor<i32>>) -> tensor<i32>
  func.return
}

// -----

// expect: C2
func.func @f(%t: tuple<tensor<f32>, tensor<i32>>) {
  %r = "stablehlo.get_tuple_element"(%t) <{index = 1 : i32}> : (tuple<tensor<f32>, tensor<i32>>) -> tensor<f32>
  func.return
}
