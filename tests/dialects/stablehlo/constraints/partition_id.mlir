// expect: ok
func.func @f() {
  %r = "stablehlo.partition_id"() : () -> tensor<ui32>
  func.return
}
