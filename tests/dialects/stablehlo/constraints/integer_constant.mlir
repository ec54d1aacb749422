// expect: ok
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<127> : tensor<i8>}> : () -> tensor<i8>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<300> : tensor<i8>}> : () -> tensor<i8>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<1.5> : tensor<i8>}> : () -> tensor<i8>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<-1> : tensor<ui8>}> : () -> tensor<ui8>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<2> : tensor<i1>}> : () -> tensor<i1>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<0x> : tensor<i8>}> : () -> tensor<i8>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<16> : tensor<ui4>}> : () -> tensor<ui4>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.constant"() <{value = dense<16> : tensor<i4>}> : () -> tensor<i4>
  func.return
}
