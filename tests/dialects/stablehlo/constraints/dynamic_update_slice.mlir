// expect: ok
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x3xi32>, tensor<i64>, tensor<i64>) -> tensor<4x4xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x3xi32>, tensor<i64>, tensor<i64>) -> tensor<4x5xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x3xi32>, tensor<i64>, tensor<i64>) -> tensor<4x4xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi64>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x3xi64>, tensor<i64>, tensor<i64>) -> tensor<4x4xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2xi32>, tensor<i64>, tensor<i64>) -> tensor<4x4xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i) : (tensor<4x4xi32>, tensor<2x3xi32>, tensor<i64>) -> tensor<4x4xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi32>, %i: tensor<i64>, %j: tensor<i32>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x3xi32>, tensor<i64>, tensor<i32>) -> tensor<4x4xi32>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x5xi32>, %i: tensor<i64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x5xi32>, tensor<i64>, tensor<i64>) -> tensor<4x4xi32>
  func.return
}

// -----

// expect: I3
func.func @f(%x: tensor<4x4xi32>, %u: tensor<2x3xi32>, %i: tensor<1xi64>, %j: tensor<i64>) {
  %r = "stablehlo.dynamic_update_slice"(%x, %u, %i, %j) : (tensor<4x4xi32>, tensor<2x3xi32>, tensor<1xi64>, tensor<i64>) -> tensor<4x4xi32>
  func.return
}
