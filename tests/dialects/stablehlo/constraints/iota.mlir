// expect: ok
func.func @f() {
  %r = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<4x5xi32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.iota"() <{iota_dimension = 2 : i64}> : () -> tensor<4x5xi32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  %r = "stablehlo.iota"() <{iota_dimension = -1 : i64}> : () -> tensor<4x5xi32>
  func.return
}
