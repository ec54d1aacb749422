// expect: ok
func.func @f(%x: tensor<2xi64>, %t: !stablehlo.token) {
  %r = "stablehlo.outfeed"(%x, %t) <{outfeed_config = ""}> : (tensor<2xi64>, !stablehlo.token) -> !stablehlo.token
  func.return
}
