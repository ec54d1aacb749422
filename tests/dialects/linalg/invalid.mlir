// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @out_of_range(%x: tensor<5xf32>, %o: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{operand #0 dimension #0 has size 5, but ((d0 * 2) + 1) reaches [1, 5]}}
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0 * 2 + 1)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<5xf32>) outs(%o : tensor<3xf32>) {
  ^bb0(%v: f32, %w: f32):
    linalg.yield %v : f32
  } -> tensor<3xf32>
  func.return %r : tensor<3xf32>
}

// -----

func.func @output_too_large(%x: tensor<3xf32>, %o: tensor<5xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{output operand #1 dimension #0 must have size 3, the extent of its loop, not 5}}
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<3xf32>) outs(%o : tensor<5xf32>) {
  ^bb0(%v: f32, %w: f32):
    linalg.yield %v : f32
  } -> tensor<5xf32>
  func.return %r : tensor<5xf32>
}

// -----

func.func @no_extent(%x: tensor<6xf32>, %o: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{loop dim d1 appears bare in no operand's indexing map}}
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<6xf32>) outs(%o : tensor<3xf32>) {
  ^bb0(%v: f32, %w: f32):
    linalg.yield %v : f32
  } -> tensor<3xf32>
  func.return %r : tensor<3xf32>
}

// -----

func.func @yields(%x: tensor<3xf32>, %o: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{expected the body to yield (f32), one value per output}}
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : tensor<3xf32>) outs(%o : tensor<3xf32>) {
  ^bb0(%v: f32, %w: f32):
    linalg.yield %v, %w : f32, f32
  } -> tensor<3xf32>
  func.return %r : tensor<3xf32>
}
