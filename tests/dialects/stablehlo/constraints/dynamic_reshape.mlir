// expect: ok
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<3x2xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<3x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<3x3xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 3]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<?x?xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<6xi64>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<2x3xi64>) {
  %s = stablehlo.constant dense<[3.0, 2.0]> : tensor<2xf32>
  %r = "stablehlo.dynamic_reshape"(%x, %s) : (tensor<2x3xi64>, tensor<2xf32>) -> tensor<3x2xi64>
  func.return
}
