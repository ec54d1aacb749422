// expect: ok
func.func @f(%s: tensor<2xui64>) {
  %t, %r = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<2x2xui64>)
  func.return
}

// -----

// expect: C1
func.func @f(%s: tensor<2xui64>) {
  %t, %r = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}> : (tensor<2xui64>) -> (tensor<3xui64>, tensor<2x2xui64>)
  func.return
}

// -----

// expect: C1
func.func @f(%s: tensor<2xui64>) {
  %t, %r = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}> : (tensor<2xui64>) -> (tensor<2xui32>, tensor<2x2xui64>)
  func.return
}

// -----

// expect: C2
func.func @f(%s: tensor<3xui64>) {
  %t, %r = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}> : (tensor<3xui64>) -> (tensor<3xui64>, tensor<2x2xui64>)
  func.return
}

// -----

// expect: C2
func.func @f(%s: tensor<4xui64>) {
  %t, %r = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = #stablehlo<rng_algorithm PHILOX>}> : (tensor<4xui64>) -> (tensor<4xui64>, tensor<2x2xui64>)
  func.return
}

// -----

// expect: I2
func.func @f(%s: tensor<2x1xui64>) {
  %t, %r = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>}> : (tensor<2x1xui64>) -> (tensor<2x1xui64>, tensor<2x2xui64>)
  func.return
}
