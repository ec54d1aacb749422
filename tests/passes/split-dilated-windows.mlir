// RUN: stepwell-opt %s --split-input-file --pass-pipeline="builtin.module(split-dilated-windows)" | filecheck %s

// Every second point of the result meets every second tap; the taps left out are summed, times zero.
// CHECK-LABEL: func.func @line
// CHECK-SAME:  (%[[X:.*]]: tensor<9x256xf32>, %[[W:.*]]: tensor<3x256x64xf32>)
// CHECK:       %[[T:.*]] = linalg.generic {{.*}} ins(%[[W]] : tensor<3x256x64xf32>) outs(%{{.*}} : tensor<64x3xf32>)
// CHECK:       %[[V0:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> ((d0 * 2), d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], {{.*}} ins(%[[W]] : tensor<3x256x64xf32>) outs(%{{.*}} : tensor<2x256x64xf32>)
// CHECK:       %[[V1:.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (((d0 * 2) + 1), d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], {{.*}} ins(%[[W]] : tensor<3x256x64xf32>) outs(%{{.*}} : tensor<1x256x64xf32>)
// CHECK:       %[[R0:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<64x3xf32>) outs(%{{.*}} : tensor<64xf32>)
// CHECK:       %[[R1:.*]] = linalg.generic {{.*}} ins(%[[T]] : tensor<64x3xf32>) outs(%{{.*}} : tensor<64xf32>)
// CHECK:       %[[S0:.*]] = linalg.generic {{.*}}(d0 + d2), d3){{.*}} ins(%[[X]], %[[V0]] : tensor<9x256xf32>, tensor<2x256x64xf32>) outs(%{{.*}} : tensor<8x64xf32>)
// CHECK:       %[[P0:.*]] = linalg.generic {{.*}} ins(%[[S0]], %[[R0]] : tensor<8x64xf32>, tensor<64xf32>)
// CHECK:       %[[I0:.*]] = tensor.insert_slice %[[P0]] into %{{.*}}[0, 0] [8, 64] [2, 1] : tensor<8x64xf32> into tensor<15x64xf32>
// CHECK:       %[[S1:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[V1]] : tensor<9x256xf32>, tensor<1x256x64xf32>) outs(%{{.*}} : tensor<7x64xf32>)
// CHECK:       %[[P1:.*]] = linalg.generic {{.*}} ins(%[[S1]], %[[R1]] : tensor<7x64xf32>, tensor<64xf32>)
// CHECK:       %[[I1:.*]] = tensor.insert_slice %[[P1]] into %[[I0]][1, 0] [7, 64] [2, 1] : tensor<7x64xf32> into tensor<15x64xf32>
// CHECK:       func.return %[[I1]]
func.func @line(%x: tensor<9x256xf32>, %w: tensor<3x256x64xf32>) -> tensor<15x64xf32> {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<17x256xf32>
  %z = linalg.fill ins(%c : f32) outs(%e : tensor<17x256xf32>) -> tensor<17x256xf32>
  %d = tensor.insert_slice %x into %z[0, 0] [9, 256] [2, 1] : tensor<9x256xf32> into tensor<17x256xf32>
  %f = tensor.empty() : tensor<15x64xf32>
  %o = linalg.fill ins(%c : f32) outs(%f : tensor<15x64xf32>) -> tensor<15x64xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, n, k, c) -> (i + k, c)>, affine_map<(i, n, k, c) -> (k, c, n)>, affine_map<(i, n, k, c) -> (i, n)>], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%d, %w : tensor<17x256xf32>, tensor<3x256x64xf32>) outs(%o : tensor<15x64xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<15x64xf32>
  return %y : tensor<15x64xf32>
}

// -----

// What is between the numbers is no zero.
// CHECK-LABEL: func.func @ones
// CHECK:       tensor.insert_slice %{{.*}} into %{{.*}}[0, 0] [9, 256] [2, 1]
// CHECK-NOT:   tensor.insert_slice
func.func @ones(%x: tensor<9x256xf32>, %w: tensor<3x256x64xf32>) -> tensor<15x64xf32> {
  %c = arith.constant 0.0 : f32
  %c1 = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<17x256xf32>
  %z = linalg.fill ins(%c1 : f32) outs(%e : tensor<17x256xf32>) -> tensor<17x256xf32>
  %d = tensor.insert_slice %x into %z[0, 0] [9, 256] [2, 1] : tensor<9x256xf32> into tensor<17x256xf32>
  %f = tensor.empty() : tensor<15x64xf32>
  %o = linalg.fill ins(%c : f32) outs(%f : tensor<15x64xf32>) -> tensor<15x64xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, n, k, c) -> (i + k, c)>, affine_map<(i, n, k, c) -> (k, c, n)>, affine_map<(i, n, k, c) -> (i, n)>], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%d, %w : tensor<17x256xf32>, tensor<3x256x64xf32>) outs(%o : tensor<15x64xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %m = arith.mulf %p, %q : f32
    %t = arith.addf %s, %m : f32
    linalg.yield %t : f32
  } -> tensor<15x64xf32>
  return %y : tensor<15x64xf32>
}
