// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// Several results, and an input larger than its loop: the loop has the smallest extent.

// CHECK-LABEL: func.func @two_results
// CHECK: } -> (tensor<3xf32>, tensor<3xi32>)
func.func @two_results(%x: tensor<5xf32>, %a: tensor<3xf32>, %b: tensor<3xi32>) -> (tensor<3xf32>, tensor<3xi32>) {
  %r:2 = linalg.generic {
    indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
    iterator_types = ["parallel"]
  } ins(%x : tensor<5xf32>) outs(%a, %b : tensor<3xf32>, tensor<3xi32>) {
  ^bb0(%v: f32, %p: f32, %q: i32):
    linalg.yield %v, %q : f32, i32
  } -> (tensor<3xf32>, tensor<3xi32>)
  func.return %r#0, %r#1 : tensor<3xf32>, tensor<3xi32>
}
