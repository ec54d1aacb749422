// expect: ok
func.func @f(%x: tensor<2x3xi64>) {
  %r = "stablehlo.get_dimension_size"(%x) <{dimension = 1 : i64}> : (tensor<2x3xi64>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi64>) {
  %r = "stablehlo.get_dimension_size"(%x) <{dimension = 2 : i64}> : (tensor<2x3xi64>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi64>) {
  %r = "stablehlo.get_dimension_size"(%x) <{dimension = -1 : i64}> : (tensor<2x3xi64>) -> tensor<i32>
  func.return
}
