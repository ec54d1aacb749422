// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// Lines over tasks; a vector and what is neutral are how each is done.

// CHECK-LABEL: kernel.func @lines
// CHECK:         scf.forall (%[[T:.*]]) in (2) shared_outs(%[[O:.*]] = %y) -> (tensor<64x1024xf32>) {
// CHECK:           %[[X:.*]] = tensor.extract_slice %x[%{{.*}}, 0] [32, 1024] [1, 1]
// CHECK:           %[[P:.*]] = tensor.extract_slice %[[O]][%{{.*}}, 0] [32, 1024] [1, 1]
// CHECK:           structured.scan ins(%[[X]], %i : tensor<32x1024xf32>, tensor<f32>) outs(%[[P]] : tensor<32x1024xf32>)
// CHECK-SAME:        {dimension = 1 : i64, {{.*}}vector = 64 : i64, neutral = -0.000000e+00 : f32}
kernel.func @lines(%x: tensor<64x1024xf32>, %i: tensor<f32>, %y: tensor<64x1024xf32>) -> tensor<64x1024xf32> attributes {
    access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 2 : i64, grain = 1000 : i64}>} {
  %e = tensor.empty() : tensor<64x1024xf32>
  %r = structured.scan ins(%x, %i : tensor<64x1024xf32>, tensor<f32>) outs(%e : tensor<64x1024xf32>) {dimension = 1 : i64} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    structured.yield %s : f32
  } -> tensor<64x1024xf32>
  kernel.return %r : tensor<64x1024xf32>
}

// -----

// One long line: totals of chunks, what is before each, then the chunks. In reverse the first chunk is at the end.

// CHECK-LABEL: kernel.func @long
// CHECK:         scf.forall (%[[T:.*]]) in (2) shared_outs(%{{.*}} = %{{.*}}) -> (tensor<2xi32>) {
// CHECK:           affine.apply affine_map<(d0) -> (((d0 * -2048) + 2952))> (%[[T]])
// CHECK:           vector.reduction <add>
// CHECK:         scf.forall (%{{.*}}) in (1) shared_outs(%{{.*}} = %{{.*}}) -> (tensor<3xi32>) {
// CHECK:         scf.forall (%[[K:.*]]) in (3) shared_outs(%{{.*}} = %y) -> (tensor<5000xi32>) {
// CHECK:           %[[B:.*]] = tensor.extract %{{.*}}[%[[K]]] : tensor<3xi32>
// CHECK:           %[[F:.*]] = tensor.from_elements %[[B]] : tensor<i32>
// CHECK:           structured.scan ins(%{{.*}}, %[[F]] : tensor<?xi32>, tensor<i32>)
kernel.func @long(%x: tensor<5000xi32>, %i: tensor<i32>, %y: tensor<5000xi32>) -> tensor<5000xi32> attributes {
    access = ["read", "read", "write"], schedule = #kernel.schedule<"loops", {vector = 64 : i64, tasks = 4 : i64, grain = 512 : i64}>} {
  %e = tensor.empty() : tensor<5000xi32>
  %r = structured.scan ins(%x, %i : tensor<5000xi32>, tensor<i32>) outs(%e : tensor<5000xi32>) {dimension = 0 : i64, reverse} {
  ^bb0(%a: i32, %b: i32):
    %s = arith.addi %a, %b : i32
    structured.yield %s : i32
  } -> tensor<5000xi32>
  kernel.return %r : tensor<5000xi32>
}
