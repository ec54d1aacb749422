// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<1.0e-3> : tensor<f32>}> : () -> tensor<f32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<true> : tensor<f32>}> : () -> tensor<f32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<1.0e> : tensor<f32>}> : () -> tensor<f32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<"one"> : tensor<f32>}> : () -> tensor<f32>
  func.return
}

// -----

// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<0x7F800000> : tensor<f32>}> : () -> tensor<f32>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<0x7F8000000> : tensor<f32>}> : () -> tensor<f32>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<0x7F800000> : tensor<f16>}> : () -> tensor<f16>
  func.return
}
