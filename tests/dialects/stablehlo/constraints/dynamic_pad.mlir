// expect: ok
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<5x7xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi64>, %v: tensor<f32>) {
  %l = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<f32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<5x7xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<5x7xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[0]> : tensor<1xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<1xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<5x7xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2, 0]> : tensor<3xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<3xi64>) -> tensor<5x7xi64>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, -1]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<5x7xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<5x8xi64>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3xi64>, %v: tensor<i64>) {
  %l = stablehlo.constant dense<[-6, 1]> : tensor<2xi64>
  %h = stablehlo.constant dense<[2, -1]> : tensor<2xi64>
  %i = stablehlo.constant dense<[1, 2]> : tensor<2xi64>
  %r = "stablehlo.dynamic_pad"(%x, %v, %l, %h, %i) : (tensor<2x3xi64>, tensor<i64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xi64>
  func.return
}
