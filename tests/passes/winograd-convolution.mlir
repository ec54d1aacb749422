// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(winograd-convolution)' | filecheck %s

// Channels first: image, windows and result are turned; the border of zeros is left to the transform. What was said before stays.

// CHECK-LABEL: func.func @channels_first
// CHECK-SAME:  (%[[X:.*]]: tensor<8x256x14x14xf32>, %[[W:.*]]: tensor<256x256x3x3xf32>)
// CHECK:       %[[WT:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d3, d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
// CHECK-SAME:    ins(%[[W]] : tensor<256x256x3x3xf32>) outs(%{{.*}} : tensor<256x3x3x256xf32>)
// CHECK:       %[[XT:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d3, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
// CHECK-SAME:    ins(%[[X]] : tensor<8x256x14x14xf32>) outs(%{{.*}} : tensor<8x14x14x256xf32>)
// CHECK:       %[[U:.*]] = structured.winograd_filter ins(%[[WT]] : tensor<256x3x3x256xf32>) outs(%{{.*}} : tensor<16x256x256xf32>) {channels_first, tile = 2 : i64}
// CHECK:       %[[V:.*]] = structured.winograd_input ins(%[[XT]] : tensor<8x14x14x256xf32>) outs(%{{.*}} : tensor<16x392x256xf32>)
// CHECK-SAME:    {tiles = array<i64: 7, 7>, low = array<i64: 1, 1>, tile = 2 : i64}
// CHECK:       %[[P:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d3, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK-SAME:    ins(%[[V]], %[[U]] : tensor<16x392x256xf32>, tensor<16x256x256xf32>) outs(%{{.*}} : tensor<16x392x256xf32>)
// CHECK-SAME:    attrs = {kernel.remarks = ["something else", "Winograd's F(2x2, 3x3): estimated at 0.{{.*}} of the time of the sums as they are"]}
// CHECK:       %[[Y:.*]] = structured.winograd_output ins(%[[P]] : tensor<16x392x256xf32>) outs(%{{.*}} : tensor<8x14x14x256xf32>) {tile = 2 : i64}
// CHECK:       %[[YT:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
// CHECK-SAME:    ins(%[[Y]] : tensor<8x14x14x256xf32>) outs(%{{.*}} : tensor<8x256x14x14xf32>)
// CHECK:       func.return %[[YT]]
module attributes {stepwell.winograd = 2 : i64, stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}>} {
  func.func @channels_first(%x: tensor<8x256x14x14xf32>, %w: tensor<256x256x3x3xf32>) -> tensor<8x256x14x14xf32> {
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x256x16x16xf32>
    %z = linalg.fill ins(%c : f32) outs(%e : tensor<8x256x16x16xf32>) -> tensor<8x256x16x16xf32>
    %b = tensor.insert_slice %x into %z[0, 0, 1, 1] [8, 256, 14, 14] [1, 1, 1, 1] : tensor<8x256x14x14xf32> into tensor<8x256x16x16xf32>
    %f = tensor.empty() : tensor<8x256x14x14xf32>
    %o = linalg.fill ins(%c : f32) outs(%f : tensor<8x256x14x14xf32>) -> tensor<8x256x14x14xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, f, i, j, c, k, l) -> (n, c, i + k, j + l)>, affine_map<(n, f, i, j, c, k, l) -> (f, c, k, l)>, affine_map<(n, f, i, j, c, k, l) -> (n, f, i, j)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%b, %w : tensor<8x256x16x16xf32>, tensor<256x256x3x3xf32>) outs(%o : tensor<8x256x14x14xf32>) attrs = {kernel.remarks = ["something else"]} {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %r, %m : f32
      linalg.yield %s : f32
    } -> tensor<8x256x14x14xf32>
    func.return %y : tensor<8x256x14x14xf32>
  }
}

// -----

// Channels last: nothing is turned, but windows that are walked backwards, which a map turns over; an image without a border has none.
// Tiles of 4 x 4 where they are allowed and quicker.

// CHECK-LABEL: func.func @channels_last
// CHECK-SAME:  (%[[X:.*]]: tensor<8x30x30x128xf32>, %[[W:.*]]: tensor<3x3x128x128xf32>)
// CHECK:       %[[WT:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (((d0 * -1) + 2), d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>]
// CHECK:       structured.winograd_filter ins(%[[WT]] : {{.*}} {tile = 4 : i64}
// CHECK:       structured.winograd_input ins(%[[X]] : tensor<8x30x30x128xf32>) {{.*}} {tiles = array<i64: 7, 7>, low = array<i64: 0, 0>, tile = 4 : i64}
// CHECK:       %[[Y:.*]] = structured.winograd_output
// CHECK-NEXT:  func.return %[[Y]]
module attributes {stepwell.winograd = 4 : i64, stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}>} {
  func.func @channels_last(%x: tensor<8x30x30x128xf32>, %w: tensor<3x3x128x128xf32>) -> tensor<8x28x28x128xf32> {
    %c = arith.constant 0.0 : f32
    %f = tensor.empty() : tensor<8x28x28x128xf32>
    %o = linalg.fill ins(%c : f32) outs(%f : tensor<8x28x28x128xf32>) -> tensor<8x28x28x128xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, i, j, f, c, k, l) -> (n, i - k + 2, j + l, c)>, affine_map<(n, i, j, f, c, k, l) -> (k, l, c, f)>, affine_map<(n, i, j, f, c, k, l) -> (n, i, j, f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<8x30x30x128xf32>, tensor<3x3x128x128xf32>) outs(%o : tensor<8x28x28x128xf32>) {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %r, %m : f32
      linalg.yield %s : f32
    } -> tensor<8x28x28x128xf32>
    func.return %y : tensor<8x28x28x128xf32>
  }
}

// -----

// Nothing is allowed by default; what it would give is said. A border of another number than zero is no border.

// CHECK-LABEL: func.func @not_allowed
// CHECK-NOT:   structured.
// CHECK:       kernel.remarks = ["no Winograd tiles, estimated at F(2x2, 3x3) 0.{{.*}}, F(4x4, 3x3) 0.{{.*}} of the time: 'stepwell.winograd' does not allow them"]
// CHECK-NOT:   structured.
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}>} {
  func.func @not_allowed(%x: tensor<8x30x30x128xf32>, %w: tensor<3x3x128x128xf32>) -> tensor<8x28x28x128xf32> {
    %c = arith.constant 0.0 : f32
    %f = tensor.empty() : tensor<8x28x28x128xf32>
    %o = linalg.fill ins(%c : f32) outs(%f : tensor<8x28x28x128xf32>) -> tensor<8x28x28x128xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, i, j, f, c, k, l) -> (n, i + k, j + l, c)>, affine_map<(n, i, j, f, c, k, l) -> (k, l, c, f)>, affine_map<(n, i, j, f, c, k, l) -> (n, i, j, f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<8x30x30x128xf32>, tensor<3x3x128x128xf32>) outs(%o : tensor<8x28x28x128xf32>) {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %r, %m : f32
      linalg.yield %s : f32
    } -> tensor<8x28x28x128xf32>
    func.return %y : tensor<8x28x28x128xf32>
  }
}

// -----

// Few channels: transforms would move more than the products save.

// CHECK-LABEL: func.func @few_channels
// CHECK-NOT:   structured.
// CHECK:       kernel.remarks = ["no Winograd tiles: estimated at F(2x2, 3x3) {{[1-9].*}}, F(4x4, 3x3) {{[0-9].*}} of the time, which is not worth it"]
// CHECK-NOT:   structured.
module attributes {stepwell.winograd = 4 : i64, stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 1048576 : i64}>} {
  func.func @few_channels(%x: tensor<1x226x226x3xf32>, %w: tensor<3x3x3x16xf32>) -> tensor<1x224x224x16xf32> {
    %c = arith.constant 0.0 : f32
    %f = tensor.empty() : tensor<1x224x224x16xf32>
    %o = linalg.fill ins(%c : f32) outs(%f : tensor<1x224x224x16xf32>) -> tensor<1x224x224x16xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, i, j, f, c, k, l) -> (n, i + k, j + l, c)>, affine_map<(n, i, j, f, c, k, l) -> (k, l, c, f)>, affine_map<(n, i, j, f, c, k, l) -> (n, i, j, f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x226x226x3xf32>, tensor<3x3x3x16xf32>) outs(%o : tensor<1x224x224x16xf32>) {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %r, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x224x224x16xf32>
    func.return %y : tensor<1x224x224x16xf32>
  }
}

// -----

// A machine of subgroups has no strategy for the transforms.

// CHECK-LABEL: func.func @subgroups
// CHECK-NOT:   structured.
// CHECK:       func.return
module attributes {stepwell.winograd = 4 : i64, stepwell.target = #stepwell.target<{subgroup = 32 : i64, vector_bits = 1024 : i64, cores = 2 : i64}>} {
  func.func @subgroups(%x: tensor<8x30x30x128xf32>, %w: tensor<3x3x128x128xf32>) -> tensor<8x28x28x128xf32> {
    %c = arith.constant 0.0 : f32
    %f = tensor.empty() : tensor<8x28x28x128xf32>
    %o = linalg.fill ins(%c : f32) outs(%f : tensor<8x28x28x128xf32>) -> tensor<8x28x28x128xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n, i, j, f, c, k, l) -> (n, i + k, j + l, c)>, affine_map<(n, i, j, f, c, k, l) -> (k, l, c, f)>, affine_map<(n, i, j, f, c, k, l) -> (n, i, j, f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<8x30x30x128xf32>, tensor<3x3x128x128xf32>) outs(%o : tensor<8x28x28x128xf32>) {
    ^bb0(%p: f32, %q: f32, %r: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %r, %m : f32
      linalg.yield %s : f32
    } -> tensor<8x28x28x128xf32>
    func.return %y : tensor<8x28x28x128xf32>
  }
}
