// expect: ok
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi32>, %v: tensor<f32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<f32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1, 0>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, -1>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x8xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3xi32>, %v: tensor<i32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: -6, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<2x3xi32>, %v: tensor<1xi32>) {
  %r = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 2, -1>, interior_padding = array<i64: 1, 2>}> : (tensor<2x3xi32>, tensor<1xi32>) -> tensor<5x7xi32>
  func.return
}
