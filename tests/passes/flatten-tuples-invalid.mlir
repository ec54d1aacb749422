// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(flatten-tuples)'

func.func @host(%x: tensor<2xf32>) {
  %token = stablehlo.create_token : !stablehlo.token
  // expected-error @+1 {{'stablehlo.outfeed' op is not supported: it takes or gives a tuple or token}}
  %r = "stablehlo.outfeed"(%x, %token) <{outfeed_config = ""}> : (tensor<2xf32>, !stablehlo.token) -> !stablehlo.token
  return
}
