// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[[1, 2, 3], [4, 5, 6.5]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[[1, 2, 3], [4, 5, (6, 6)]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[[1, 2, 3], [4, 5]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[1, 2, 3, 4, 5, 6]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[[1, 2], [3, 4], [5, 6]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  func.return
}

// -----

// expect: C2
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<3x3xi32>}> : () -> tensor<3x3xi32>
  func.return
}
