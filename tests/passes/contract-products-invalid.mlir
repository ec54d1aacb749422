// RUN: stepwell-opt %s --verify-diagnostics --pass-pipeline='builtin.module(kernel.func(contract-products))'

// expected-error@below {{has stepwell.fp_contract = "fast", which is neither true nor false}}
module attributes {stepwell.fp_contract = "fast"} {
  kernel.func @wrong(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> attributes {access = ["read", "write"]} {
    kernel.return %y : tensor<f32>
  }
}
