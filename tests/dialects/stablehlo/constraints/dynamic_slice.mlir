// expect: ok
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<i64>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i32>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i32>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 5>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<2x5xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, -1>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<3x2xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x4xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<i64>, tensor<i64>) -> tensor<2xi32>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<4x4xi32>, %i: tensor<1xi64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<1xi64>, tensor<i64>) -> tensor<2x3xi32>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<4x4xi32>, %i: tensor<f32>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<4x4xi32>, tensor<f32>, tensor<i64>) -> tensor<2x3xi32>
  func.return
}
