// RUN: stepwell-opt %s --split-input-file --prepare-entry --verify-diagnostics

// expected-error @+1 {{no entry function @main; the module has: @mian, @other}}
module {
  func.func @mian(%a: tensor<f32>) -> tensor<f32> {
    return %a : tensor<f32>
  }
  func.func @other(%a: tensor<f32>) -> tensor<f32> {
    return %a : tensor<f32>
  }
}
