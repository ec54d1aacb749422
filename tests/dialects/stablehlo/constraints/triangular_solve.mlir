// expect: ok
func.func @f(%a: tensor<5x3x3xf32>, %b: tensor<5x3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xf32>, tensor<5x3x2xf32>) -> tensor<5x3x2xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<5x3x3xf32>, %b: tensor<5x3x2xf64>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xf32>, tensor<5x3x2xf64>) -> tensor<5x3x2xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<5x3x3xf32>, %b: tensor<3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xf32>, tensor<3x2xf32>) -> tensor<5x3x2xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<3xf32>, %b: tensor<3xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<5x4x3xf32>, %b: tensor<5x3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x4x3xf32>, tensor<5x3x2xf32>) -> tensor<5x3x2xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<5x3x3xf32>, %b: tensor<5x3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = false, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xf32>, tensor<5x3x2xf32>) -> tensor<5x3x2xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<4x3x3xf32>, %b: tensor<5x3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<4x3x3xf32>, tensor<5x3x2xf32>) -> tensor<5x3x2xf32>
  func.return
}

// -----

// expect: C4
func.func @f(%a: tensor<5x3x3xf32>, %b: tensor<5x3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xf32>, tensor<5x3x2xf32>) -> tensor<5x2x3xf32>
  func.return
}

// -----

// expect: C4
func.func @f(%a: tensor<5x3x3xf32>, %b: tensor<5x3x2xf32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xf32>, tensor<5x3x2xf32>) -> tensor<5x3x2xf64>
  func.return
}

// -----

// expect: I1
func.func @f(%a: tensor<5x3x3xi32>, %b: tensor<5x3x2xi32>) {
  %r = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}> : (tensor<5x3x3xi32>, tensor<5x3x2xi32>) -> tensor<5x3x2xi32>
  func.return
}
