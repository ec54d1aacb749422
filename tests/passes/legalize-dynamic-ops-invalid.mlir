// RUN: stepwell-opt %s --legalize-dynamic-ops --split-input-file --verify-diagnostics

func.func @unknown(%x: tensor<?xf32>, %s: tensor<1xi32>) -> tensor<?xf32> {
  // expected-error @+1 {{'stablehlo.dynamic_reshape' op is not supported: its sizes are not known: it has a value of type tensor<?xf32>}}
  %0 = stablehlo.dynamic_reshape %x, %s : (tensor<?xf32>, tensor<1xi32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
