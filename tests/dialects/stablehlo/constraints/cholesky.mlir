// expect: ok
func.func @f(%a: tensor<5x3x3xf32>) {
  %r = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x3x3xf32>) -> tensor<5x3x3xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<5x3x3xf32>) {
  %r = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x3x3xf32>) -> tensor<5x3x3xf64>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<5x3x3xf32>) {
  %r = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x3x3xf32>) -> tensor<3x3xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<3xf32>) {
  %r = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<5x3x4xf32>) {
  %r = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x3x4xf32>) -> tensor<5x3x4xf32>
  func.return
}

// -----

// expect: I1
func.func @f(%a: tensor<5x3x3xi32>) {
  %r = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<5x3x3xi32>) -> tensor<5x3x3xi32>
  func.return
}
