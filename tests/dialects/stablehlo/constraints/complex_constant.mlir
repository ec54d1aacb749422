// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<(1.0, 2.0)> : tensor<complex<f32>>}> : () -> tensor<complex<f32>>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<(true, 2.0)> : tensor<complex<f32>>}> : () -> tensor<complex<f32>>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<(1.0, true)> : tensor<complex<f32>>}> : () -> tensor<complex<f32>>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<1.0> : tensor<complex<f32>>}> : () -> tensor<complex<f32>>
  func.return
}
