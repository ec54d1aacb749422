// RUN: stepwell-opt %s --outline-kernels --split-input-file --verify-diagnostics

// The reshape waits for one op of group 0, and the other op of group 0 for the reshape.

func.func @cycle(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{is grouped with an op that waits for it through an op of another group}}
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) attrs = {kernel.group = 0 : i64} {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %t = tensor.expand_shape %a [[0 : i64, 1 : i64]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  %u = tensor.collapse_shape %t [[0 : i64, 1 : i64]] : tensor<2x2xf32> into tensor<4xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a, %u : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) attrs = {kernel.group = 0 : i64} {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.addf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}
