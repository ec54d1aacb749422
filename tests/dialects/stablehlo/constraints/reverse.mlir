// expect: ok
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reverse"(%x) <{dimensions = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reverse"(%x) <{dimensions = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<2x3xf64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reverse"(%x) <{dimensions = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reverse"(%x) <{dimensions = array<i64: 1, 1>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reverse"(%x) <{dimensions = array<i64: 2>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.reverse"(%x) <{dimensions = array<i64: -1>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}
