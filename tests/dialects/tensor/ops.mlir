// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @empty
func.func @empty(%n: index) {
  // CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<4xf32>
  %0 = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<4xf32>
  // CHECK: tensor.empty(%n) : tensor<?xf32>
  %1 = tensor.empty(%n) : tensor<?xf32>
  func.return
}
