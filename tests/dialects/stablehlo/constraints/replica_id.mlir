// expect: ok
func.func @f() {
  %r = "stablehlo.replica_id"() : () -> tensor<ui32>
  func.return
}
