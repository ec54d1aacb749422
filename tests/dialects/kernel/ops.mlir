// RUN: stepwell-opt %s --split-input-file | stepwell-opt --split-input-file | filecheck %s

// CHECK-LABEL: kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tile = [8 : i64]}>} {
// CHECK-NEXT:    kernel.return %x : tensor<8xf32>
kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
    attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tile = [8]}>} {
  kernel.return %x : tensor<8xf32>
}
// CHECK-LABEL: func.func @main
func.func @main(%a: tensor<8xf32>) -> tensor<8xf32> {
  %d = tensor.empty() : tensor<8xf32>
  // CHECK: kernel.launch @k_map_0 ins(%a : tensor<8xf32>) outs(%d : tensor<8xf32>) {kernel.note = "n"} -> tensor<8xf32>
  %r = kernel.launch @k_map_0 ins(%a : tensor<8xf32>) outs(%d : tensor<8xf32>) {kernel.note = "n"} -> tensor<8xf32>
  func.return %r : tensor<8xf32>
}

// -----

// CHECK-LABEL: kernel.func @two() attributes {access = []}
// CHECK-LABEL: func.func @none
// CHECK: kernel.launch @two
kernel.func @two() attributes {access = []} {
  kernel.return
}
func.func @none() {
  kernel.launch @two
  func.return
}

// -----

// CHECK: kernel.func @m(%x: memref<8xf32>, %out: memref<8xf32>, %s: memref<64xi8>, %w: memref<?x128xi8>)
// CHECK-SAME: attributes {access = ["read", "readwrite"], scratch_bytes = 64 : i64, worker_bytes = 128 : i64}
kernel.func @m(%x: memref<8xf32>, %out: memref<8xf32>, %s: memref<64xi8>, %w: memref<?x128xi8>)
    attributes {access = ["read", "readwrite"], scratch_bytes = 64 : i64, worker_bytes = 128 : i64} {
  kernel.return
}
func.func @on_memrefs(%a: memref<8xf32>, %b: memref<8xf32>, %s: memref<64xi8>, %w: memref<?x128xi8>) {
  // CHECK: kernel.launch @m ins(%a : memref<8xf32>) outs(%b : memref<8xf32>) scratch(%s, %w : memref<64xi8>, memref<?x128xi8>)
  kernel.launch @m ins(%a : memref<8xf32>) outs(%b : memref<8xf32>) scratch(%s, %w : memref<64xi8>, memref<?x128xi8>)
  func.return
}

// -----

// CHECK: kernel.launch @pair outs(%{{.*}}, %{{.*}} : tensor<2xf32>, tensor<f32>) -> (tensor<2xf32>, tensor<f32>)
kernel.func @pair(%o: tensor<2xf32>, %p: tensor<f32>) -> (tensor<2xf32>, tensor<f32>)
    attributes {access = ["write", "write"]} {
  kernel.return %o, %p : tensor<2xf32>, tensor<f32>
}
func.func @several(%d: tensor<2xf32>, %e: tensor<f32>) -> (tensor<2xf32>, tensor<f32>) {
  %r:2 = kernel.launch @pair outs(%d, %e : tensor<2xf32>, tensor<f32>) -> (tensor<2xf32>, tensor<f32>)
  func.return %r#0, %r#1 : tensor<2xf32>, tensor<f32>
}

// -----

// CHECK-LABEL: func.func @scratch
func.func @scratch() {
  // CHECK-NEXT: tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<8xf32>
  %0 = tensor.empty() {scratch = #kernel.scratch<launch>} : tensor<8xf32>
  // CHECK-NEXT: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<8xf32>
  %1 = tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<8xf32>
  // CHECK-NEXT: tensor.empty() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : tensor<8xf32>
  %2 = tensor.empty() {scratch = #kernel.scratch<block>, swizzle = 8 : i64} : tensor<8xf32>
  // CHECK-NEXT: tensor.empty() {scratch = #kernel.scratch<subgroup>} : tensor<8xf32>
  %3 = tensor.empty() {scratch = #kernel.scratch<subgroup>} : tensor<8xf32>
  func.return
}

// -----

// CHECK-LABEL: func.func @prefetch
func.func @prefetch(%t: tensor<100x100xf32>, %m: memref<8xf32>, %i: index) {
  // CHECK: kernel.prefetch %{{.*}}[%{{.*}}, %{{.*}}] {part = vector<13x32xf32>} : tensor<100x100xf32>
  kernel.prefetch %t[%i, %i] {part = vector<13x32xf32>} : tensor<100x100xf32>
  // CHECK: kernel.prefetch %{{.*}}[%{{.*}}] {part = vector<4xf32>, once} : memref<8xf32>
  kernel.prefetch %m[%i] {part = vector<4xf32>, once} : memref<8xf32>
  func.return
}

// -----

// CHECK-LABEL: func.func @dot
func.func @dot(%a: vector<2x1xi32>, %b: vector<1x8xi32>, %c: vector<2x8xi32>) -> vector<2x8xi32> {
  // CHECK: kernel.dot %{{.*}}, %{{.*}}, %{{.*}} {lhs_factor = ui8, rhs_factor = si8} : vector<2x1xi32>, vector<1x8xi32>, vector<2x8xi32>
  %0 = kernel.dot %a, %b, %c {lhs_factor = ui8, rhs_factor = si8} : vector<2x1xi32>, vector<1x8xi32>, vector<2x8xi32>
  // CHECK: kernel.dot %{{.*}}, %{{.*}}, %{{.*}} {lhs_factor = si16, rhs_factor = si16} : vector<2x1xi32>, vector<1x8xi32>, vector<2x8xi32>
  %1 = kernel.dot %a, %b, %0 {lhs_factor = si16, rhs_factor = si16} : vector<2x1xi32>, vector<1x8xi32>, vector<2x8xi32>
  func.return %1 : vector<2x8xi32>
}
