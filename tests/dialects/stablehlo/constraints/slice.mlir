// expect: ok
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8, 1>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: -1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 9>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 3, 9>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 0, 2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, -2>}> : (tensor<3x8xi64>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<3x8xi64>) {
  %r = "stablehlo.slice"(%x) <{start_indices = array<i64: 1, 4>, limit_indices = array<i64: 3, 8>, strides = array<i64: 1, 2>}> : (tensor<3x8xi64>) -> tensor<2x4xi64>
  func.return
}
