// RUN: stepwell-opt %s --plan-kernels --split-input-file | filecheck %s
// RUN: stepwell-opt %s --pass-pipeline='builtin.module(plan-kernels{fuse=false})' --split-input-file | filecheck %s --check-prefix=APART

// Reductions and maps over the same rows: one kernel. The fills belong to whoever starts from them.

// CHECK-LABEL: func.func @softmax
// CHECK-NOT: linalg.fill {kernel.group
// CHECK: kernel.group = 0 : i64, kernel.kind = "rows"
// CHECK: arith.maximumf
// CHECK: kernel.group = 0 : i64, kernel.kind = "rows"
// CHECK: math.exp
// CHECK: kernel.group = 0 : i64, kernel.kind = "rows"
// CHECK: arith.addf
// CHECK: kernel.group = 0 : i64, kernel.kind = "rows"{{.*}}4 ops share 1 leading dims
// CHECK: arith.divf
func.func @softmax(%x: tensor<64x100xf32>) -> tensor<64x100xf32> {
  %low = arith.constant 0xff800000 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %f = tensor.empty() : tensor<64x100xf32>
  %0 = linalg.fill ins(%low : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %m = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<64x100xf32>) outs(%0 : tensor<64xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.maximumf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<64xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x, %m : tensor<64x100xf32>, tensor<64xf32>) outs(%f : tensor<64x100xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.subf %a, %b : f32
    %r = math.exp %s : f32
    linalg.yield %r : f32
  } -> tensor<64x100xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%p : tensor<64x100xf32>) outs(%1 : tensor<64xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<64xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%p, %s : tensor<64x100xf32>, tensor<64xf32>) outs(%f : tensor<64x100xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<64x100xf32>
  func.return %q : tensor<64x100xf32>
}

// -----

// A sum over rows reads columns: what follows it is no row of it, but it is done on each number when its sum is.

// CHECK-LABEL: func.func @columns
// CHECK: kernel.group = 0 : i64, kernel.kind = "single", kernel.reason = "a reduction, with 1 maps of its result"
// CHECK: arith.addf
// CHECK: kernel.group = 0 : i64, kernel.kind = "single"
// CHECK: math.exp
func.func @columns(%x: tensor<64x100xf32>) -> tensor<100xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<100xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<100xf32>) -> tensor<100xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<64x100xf32>) outs(%0 : tensor<100xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<100xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%s : tensor<100xf32>) outs(%e : tensor<100xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<100xf32>
  func.return %q : tensor<100xf32>
}

// -----

// The maximum of each window has what follows it on its points.

// CHECK-LABEL: func.func @window
// CHECK: kernel.group = 0 : i64, kernel.kind = "single"
// CHECK: arith.maximumf
// CHECK: kernel.group = 0 : i64, kernel.kind = "single"
// CHECK: math.tanh
func.func @window(%x: tensor<8x8x32xf32>) -> tensor<4x4x32xf32> {
  %low = arith.constant 0xff800000 : f32
  %e = tensor.empty() : tensor<4x4x32xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %0 = linalg.fill ins(%low : f32) outs(%e : tensor<4x4x32xf32>) -> tensor<4x4x32xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4) -> (d0 * 2 + d3, d1 * 2 + d4, d2)>, affine_map<(d0, d1, d2, d3, d4) -> (d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : tensor<8x8x32xf32>, tensor<2x2xf32>) outs(%0 : tensor<4x4x32xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %r = arith.maximumf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<4x4x32xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<4x4x32xf32>) outs(%e : tensor<4x4x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<4x4x32xf32>
  func.return %q : tensor<4x4x32xf32>
}

// -----

// An array whose columns and rows are summed is read once: what follows the sums of columns comes later.

// CHECK-LABEL: func.func @both
// CHECK: kernel.group = 0 : i64, kernel.kind = "single", kernel.reason = "2 reductions read one array once"
// CHECK: kernel.group = 0 : i64
// CHECK: kernel.group = 1 : i64, kernel.kind = "map"
func.func @both(%x: tensor<512x256xf32>) -> (tensor<512xf32>, tensor<256xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<256xf32>
  %h = tensor.empty() : tensor<512xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<256xf32>) -> tensor<256xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%h : tensor<512xf32>) -> tensor<512xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<512x256xf32>) outs(%1 : tensor<512xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<512xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%x : tensor<512x256xf32>) outs(%0 : tensor<256xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %r = arith.addf %acc, %a : f32
    linalg.yield %r : f32
  } -> tensor<256xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%s : tensor<256xf32>) outs(%e : tensor<256xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<256xf32>
  func.return %t, %q : tensor<512xf32>, tensor<256xf32>
}

// -----

// A matrix product takes along the maps of its result, also when the result is needed elsewhere; a map that reads it
// transposed stays apart.

// CHECK-LABEL: func.func @epilogue
// CHECK: kernel.group = 0 : i64, kernel.kind = "contraction"
// CHECK: arith.mulf
// CHECK: kernel.group = 0 : i64, kernel.kind = "contraction"
// CHECK: arith.addf
// CHECK: kernel.group = 0 : i64, kernel.kind = "contraction"{{.*}}with 2 maps of its result
// CHECK: arith.maximumf
// CHECK: kernel.group = 1 : i64, kernel.kind = "map"
// CHECK: arith.negf
func.func @epilogue(%x: tensor<64x32xf32>, %u: tensor<64x64xf32>, %w: tensor<32x64xf32>, %b: tensor<64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<64x32xf32>, tensor<32x64xf32>) outs(%0 : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %acc: f32):
    %m = arith.mulf %a, %d : f32
    %r = arith.addf %acc, %m : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<64x64xf32>, tensor<64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %r = arith.addf %a, %d : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%z, %u : tensor<64x64xf32>, tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %r = arith.maximumf %a, %d : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.negf %a : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  func.return %z, %y, %t : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}

// -----

// %d reads %a and waits for %c, which waits for %a: %a and %d in one kernel would wait for each other.

// CHECK-LABEL: func.func @comes_back
// CHECK: kernel.group = 0 : i64, kernel.kind = "map"
// CHECK: math.exp
// CHECK: kernel.group = 1 : i64, kernel.kind = "map"
// CHECK: math.tanh
// CHECK: kernel.group = 2 : i64, kernel.kind = "map", kernel.reason = "one op", kernel.decisions = [{{.*}}reason = "keeps %d (divf, 8x8xf32) out of the kernel that makes its operand: a value would leave and come back (it would save 384 B of memory traffic)", taken = false
// CHECK: arith.divf
func.func @comes_back(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  %t = tensor.collapse_shape %c [[0 : i64, 1 : i64]] : tensor<8x8xf32> into tensor<64xf32>
  %u = tensor.expand_shape %t [[0 : i64, 1 : i64]] output_shape [8, 8] : tensor<64xf32> into tensor<8x8xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a, %u : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %r = arith.divf %i, %j : f32
    linalg.yield %r : f32
  } -> tensor<8x8xf32>
  func.return %d : tensor<8x8xf32>
}

// -----

// Maps that pass values point by point make one kernel; a gather from the result does not join.

// APART-LABEL: func.func @maps
// APART: kernel.group = 0 : i64, kernel.kind = "map", kernel.reason = "one op"
// APART: math.exp
// APART: kernel.group = 1 : i64, kernel.kind = "map", kernel.reason = "one op"
// APART: math.tanh
// APART: kernel.group = 2 : i64
// APART: tensor.extract

// CHECK-LABEL: func.func @maps
// CHECK: kernel.group = 0 : i64, kernel.kind = "map"
// CHECK: math.exp
// CHECK: kernel.group = 0 : i64, kernel.kind = "map", kernel.reason = "2 maps over one space"
// CHECK: math.tanh
// CHECK: kernel.group = 1 : i64
// CHECK: tensor.extract
func.func @maps(%x: tensor<8xf32>, %k: tensor<8xindex>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%k : tensor<8xindex>) outs(%e : tensor<8xf32>) {
  ^bb0(%i: index, %o: f32):
    %r = tensor.extract %b[%i] : tensor<8xf32>
    linalg.yield %r : f32
  } -> tensor<8xf32>
  func.return %a, %b, %g : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// -----

// A chain of insert_slice into one tensor is one kernel; so is 0-d arithmetic with the reduction it follows.

// CHECK-LABEL: func.func @chains
// CHECK: tensor.insert_slice{{.*}}kernel.group = [[G:[0-9]+]] : i64, kernel.kind = "single"
// CHECK: tensor.insert_slice{{.*}}kernel.group = [[G]] : i64
// CHECK: kernel.group = [[S:[0-9]+]] : i64, kernel.kind = "single"
// CHECK: arith.addf
// CHECK: kernel.group = [[S]] : i64, kernel.kind = "single", kernel.reason = "2 ops on 0-d tensors"
// CHECK: arith.divf
func.func @chains(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<8xf32>, tensor<f32>) {
  %zero = arith.constant 0.0 : f32
  %n = arith.constant 4.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %0 = tensor.insert_slice %x into %e[0][4][1] : tensor<4xf32> into tensor<8xf32>
  %1 = tensor.insert_slice %y into %0[4][4][1] : tensor<4xf32> into tensor<8xf32>
  %d = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%d : tensor<f32>) -> tensor<f32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<4xf32>) outs(%f : tensor<f32>) {
  ^bb0(%i: f32, %acc: f32):
    %r = arith.addf %acc, %i : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %m = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%s : tensor<f32>) outs(%d : tensor<f32>) {
  ^bb0(%i: f32, %o: f32):
    %r = arith.divf %i, %n : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  func.return %1, %m : tensor<8xf32>, tensor<f32>
}

// -----

// What the host reads has to exist: the fill that is returned gets a kernel. Control flow is planned block by block.

// CHECK-LABEL: func.func @host
// CHECK: linalg.fill {kernel.group = [[F:[0-9]+]] : i64, kernel.kind = "map"
// CHECK: scf.if
// CHECK: kernel.group = {{[0-9]+}} : i64, kernel.kind = "map"
// CHECK: arith.negf
func.func @host(%c: i1, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = scf.if %c -> (tensor<4xf32>) {
    %n = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%i: f32, %o: f32):
      %v = arith.negf %i : f32
      linalg.yield %v : f32
    } -> tensor<4xf32>
    scf.yield %n : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  func.return %f, %r : tensor<4xf32>, tensor<4xf32>
}

// -----

// The product is wanted by another kernel too, so it is stored: the map between it and the rows saves more with the rows, which
// alone read it.

// CHECK-LABEL: func.func @stored_anyway
// CHECK: kernel.group = 0 : i64, kernel.kind = "contraction", kernel.reason = "a sum of products in tiles, with 0 maps of its result"
// CHECK: arith.mulf
// CHECK: kernel.group = [[R:[0-9]+]] : i64, kernel.kind = "rows"
// CHECK: math.absf
// CHECK: kernel.group = [[R]] : i64, kernel.kind = "rows", kernel.reason = "2 ops share 1 leading dims"{{.*}}takes its operand, in one kernel, from absf of 64x64xf32: saves 32.8 kB of memory traffic, repeats 0 flops", taken = true
// CHECK: arith.maximumf
// CHECK: arith.negf
func.func @stored_anyway(%x: tensor<64x32xf32>, %w: tensor<32x64xf32>) -> (tensor<64xf32>, tensor<64x64xf32>) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<64x32xf32>, tensor<32x64xf32>) outs(%i : tensor<64x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<64x64xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.absf %a : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %f = tensor.empty() : tensor<64xf32>
  %g = linalg.fill ins(%z : f32) outs(%f : tensor<64xf32>) -> tensor<64xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%1 : tensor<64x64xf32>) outs(%g : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<64xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.negf %a : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  func.return %2, %3 : tensor<64xf32>, tensor<64x64xf32>
}

// -----

// Rows of one large array are read once by everything that is done with them; another space that reads it stays apart.

// CHECK-LABEL: func.func @siblings
// CHECK: kernel.group = 0 : i64, kernel.kind = "rows"
// CHECK: arith.maximumf
// CHECK: kernel.group = 0 : i64, kernel.kind = "rows", kernel.reason = "2 ops share 1 leading dims"{{.*}}reads the same operand in one kernel with maximumf of 256xf32: saves 1.0 MB of memory traffic
// CHECK: math.exp
// CHECK: kernel.group = 1 : i64, {{.*}}lets negf of 1024x256xf32 read its operand again: no leading parallel dims in common (it would save 1.0 MB of memory traffic)
// CHECK: arith.negf
func.func @siblings(%x: tensor<256x1024xf32>) -> (tensor<256xf32>, tensor<256x1024xf32>, tensor<1024x256xf32>) {
  %z = arith.constant 0.0 : f32
  %f = tensor.empty() : tensor<256xf32>
  %g = linalg.fill ins(%z : f32) outs(%f : tensor<256xf32>) -> tensor<256xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<256x1024xf32>) outs(%g : tensor<256xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %o : f32
    linalg.yield %r : f32
  } -> tensor<256xf32>
  %e = tensor.empty() : tensor<256x1024xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<256x1024xf32>) outs(%e : tensor<256x1024xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.exp %a : f32
    linalg.yield %r : f32
  } -> tensor<256x1024xf32>
  %h = tensor.empty() : tensor<1024x256xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<256x1024xf32>) outs(%h : tensor<1024x256xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.negf %a : f32
    linalg.yield %r : f32
  } -> tensor<1024x256xf32>
  func.return %0, %1, %2 : tensor<256xf32>, tensor<256x1024xf32>, tensor<1024x256xf32>
}

// -----

// A running sum of lines that a cache holds takes along the maps before and after it.

// CHECK-LABEL: func.func @lines
// CHECK: kernel.group = 0 : i64, kernel.kind = "single", kernel.reason = "a scan, with 2 maps, line by line"
// CHECK: arith.mulf
// CHECK: structured.scan {{.*}} kernel.group = 0 : i64
// CHECK: kernel.group = 0 : i64
// CHECK: arith.negf
func.func @lines(%x: tensor<64x100xf32>) -> tensor<64x100xf32> {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %e = tensor.empty() : tensor<64x100xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<64x100xf32>) outs(%e : tensor<64x100xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.mulf %a, %a : f32
    linalg.yield %r : f32
  } -> tensor<64x100xf32>
  %s = structured.scan ins(%p, %zero : tensor<64x100xf32>, tensor<f32>) outs(%e : tensor<64x100xf32>) {dimension = 1 : i64} {
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %a, %b : f32
    structured.yield %r : f32
  } -> tensor<64x100xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<64x100xf32>) outs(%e : tensor<64x100xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = arith.negf %a : f32
    linalg.yield %r : f32
  } -> tensor<64x100xf32>
  func.return %q : tensor<64x100xf32>
}

// -----

// An optimizer's state is larger than a core's second cache: its update, of two tensors besides the gradient, is a kernel of its own. Weights
// alone are updated on the tiles of their gradient.

// CHECK-LABEL: func.func @updates
// CHECK: kernel.group = 0 : i64, kernel.kind = "contraction"
// CHECK: kernel.group = 1 : i64, kernel.kind = "map"
// CHECK-SAME: 2 tensors to read and 2 to write take longer on tiles than line after line
// CHECK: kernel.group = 2 : i64, kernel.kind = "contraction"
// CHECK: kernel.group = 2 : i64, kernel.kind = "contraction"
module attributes {stepwell.target = {level = "avx512", vector_bits = 512 : i64, cores = 2 : i64, l2_bytes = 8192 : i64}} {
func.func @updates(%x: tensor<8x64xf32>, %y: tensor<8x64xf32>, %z: tensor<8x64xf32>, %w: tensor<64x64xf32>, %v: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %y : tensor<8x64xf32>, tensor<8x64xf32>) outs(%0 : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %acc: f32):
    %m = arith.mulf %a, %d : f32
    %r = arith.addf %acc, %m : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %n:2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c, %v, %w : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) outs(%e, %e : tensor<64x64xf32>, tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %g: f32, %o: f32, %p: f32):
    %m = arith.addf %d, %a : f32
    %r = arith.subf %g, %m : f32
    linalg.yield %m, %r : f32, f32
  } -> (tensor<64x64xf32>, tensor<64x64xf32>)
  %1 = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %k = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d2, d0)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %z : tensor<8x64xf32>, tensor<8x64xf32>) outs(%1 : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %acc: f32):
    %m = arith.mulf %a, %d : f32
    %r = arith.addf %acc, %m : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%k, %w : tensor<64x64xf32>, tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %d: f32, %o: f32):
    %r = arith.subf %d, %a : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  func.return %n#0, %n#1, %q : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}
}
