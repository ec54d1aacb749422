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
