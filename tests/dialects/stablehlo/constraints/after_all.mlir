// expect: ok
func.func @f(%a: !stablehlo.token, %b: !stablehlo.token) {
  %r = "stablehlo.after_all"(%a, %b) : (!stablehlo.token, !stablehlo.token) -> !stablehlo.token
  func.return
}
