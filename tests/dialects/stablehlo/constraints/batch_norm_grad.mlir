// expect: ok
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 3 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = -1 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf64>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf64>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf64>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x3x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x3x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x2x3xf32>) -> (tensor<2x3x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<2xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<3xf32>, %m: tensor<3xf32>, %v: tensor<3xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<3xf32>, tensor<2xf32>)
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<2x2x3xf32>, %s: tensor<2xf32>, %m: tensor<2xf32>, %v: tensor<2xf32>, %g: tensor<2x2x3xf32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x2x3xf32>) -> (tensor<2x2x3xf32>, tensor<2xf32>, tensor<2xf32>)
  func.return
}

// -----

// expect: I1
func.func @f(%x: tensor<2x2x3xi32>, %s: tensor<3xi32>, %m: tensor<3xi32>, %v: tensor<3xi32>, %g: tensor<2x2x3xi32>) {
  %y, %a, %b = "stablehlo.batch_norm_grad"(%x, %s, %m, %v, %g) <{epsilon = 0.1 : f32, feature_index = 2 : i64}> : (tensor<2x2x3xi32>, tensor<3xi32>, tensor<3xi32>, tensor<3xi32>, tensor<2x2x3xi32>) -> (tensor<2x2x3xi32>, tensor<3xi32>, tensor<3xi32>)
  func.return
}
