// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, -2]> : tensor<2xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, -2]> : tensor<2xi16>}> : () -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1.0, -2.0]> : tensor<2xf32>}> : () -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, -2, 3]> : tensor<3xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  func.return
}
