// expect: ok
func.func @f(%a: tensor<f32>, %b: tensor<f32>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f32>, tensor<2xi64>) -> tensor<3x2xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<f32>, %b: tensor<f64>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f64>, tensor<2xi64>) -> tensor<3x2xf32>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<f32>, %b: tensor<f32>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f32>, tensor<2xi64>) -> tensor<3x2xf64>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<i32>, %b: tensor<i32>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<i32>, tensor<i32>, tensor<2xi64>) -> tensor<3x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<f32>, %b: tensor<f32>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f32>, tensor<2xi64>) -> tensor<2x3xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<f32>, %b: tensor<f32>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f32>, tensor<2xi64>) -> tensor<6xf32>
  func.return
}

// -----

// expect: I1
func.func @f(%a: tensor<1xf32>, %b: tensor<f32>) {
  %s = stablehlo.constant dense<[3, 2]> : tensor<2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<1xf32>, tensor<f32>, tensor<2xi64>) -> tensor<3x2xf32>
  func.return
}

// -----

// expect: I3
func.func @f(%a: tensor<f32>, %b: tensor<f32>) {
  %s = stablehlo.constant dense<[[3, 2]]> : tensor<1x2xi64>
  %r = "stablehlo.rng"(%a, %b, %s) <{rng_distribution = #stablehlo<rng_distribution NORMAL>}> : (tensor<f32>, tensor<f32>, tensor<1x2xi64>) -> tensor<3x2xf32>
  func.return
}
