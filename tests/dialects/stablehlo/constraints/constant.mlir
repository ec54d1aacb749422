// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, 2]> : tensor<2xi32>}> : () -> tensor<2xi32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, 2]> : tensor<2xi32>}> : () -> tensor<2xi64>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, 2]> : tensor<2xi32>}> : () -> tensor<3xi32>
  func.return
}
