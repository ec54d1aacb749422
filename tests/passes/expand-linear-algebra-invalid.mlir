// RUN: stepwell-opt %s -p expand-linear-algebra --split-input-file --verify-diagnostics

func.func @dynamic(%a: tensor<?x4x4xf32>) -> tensor<?x4x4xf32> {
  // expected-error @below {{is not supported: the dynamic shape of tensor<?x4x4xf32>}}
  %r = stablehlo.cholesky %a, lower = true : tensor<?x4x4xf32>
  return %r : tensor<?x4x4xf32>
}
