// expect: ok
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x2xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<3x2xi32>, tensor<1x2xi32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x2xi64>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<3x2xi32>, tensor<1x2xi64>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x3xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<3x2xi32>, tensor<1x3xi32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<3x2xi32>, tensor<1xi32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f() {
  %r = "stablehlo.concatenate"() <{dimension = 0 : i64}> : () -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x2xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 2 : i64}> : (tensor<3x2xi32>, tensor<1x2xi32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x2xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = -1 : i64}> : (tensor<3x2xi32>, tensor<1x2xi32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x2xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<3x2xi32>, tensor<1x2xi32>) -> tensor<4x2xi64>
  func.return
}

// -----

// expect: C6
func.func @f(%a: tensor<3x2xi32>, %b: tensor<1x2xi32>) {
  %r = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}> : (tensor<3x2xi32>, tensor<1x2xi32>) -> tensor<3x2xi32>
  func.return
}
