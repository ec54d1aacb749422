// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(kernel.func(expand-math))' | filecheck %s

// A sign is a bit of sixteen: nothing is widened for it. Other arithmetic is, and rounds after each op.
// CHECK-LABEL: kernel.func @sixteen
// CHECK: %[[X:.*]] = tensor.extract
// CHECK: %[[A:.*]] = math.absf %[[X]] : bf16
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[A]] : bf16
// CHECK-NEXT: %[[W:.*]] = arith.extf %[[N]] : bf16 to f32
// CHECK: arith.mulf %{{.*}} : f32
// CHECK-NEXT: arith.truncf
kernel.func @sixteen(%x: tensor<bf16>, %y: tensor<bf16>) -> tensor<bf16> attributes {access = ["read", "write"]} {
  %v = tensor.extract %x[] : tensor<bf16>
  %a = math.absf %v : bf16
  %n = arith.negf %a : bf16
  %p = arith.mulf %n, %n : bf16
  %r = tensor.insert %p into %y[] : tensor<bf16>
  kernel.return %r : tensor<bf16>
}

// -----

// Those of a byte differ: some have a NaN where others have -0.
// CHECK-LABEL: kernel.func @byte
// CHECK: arith.extf
// CHECK: math.absf %{{.*}} : f32
// CHECK: arith.truncf
kernel.func @byte(%x: tensor<f8E4M3FNUZ>, %y: tensor<f8E4M3FNUZ>) -> tensor<f8E4M3FNUZ> attributes {access = ["read", "write"]} {
  %v = tensor.extract %x[] : tensor<f8E4M3FNUZ>
  %a = math.absf %v : f8E4M3FNUZ
  %r = tensor.insert %a into %y[] : tensor<f8E4M3FNUZ>
  kernel.return %r : tensor<f8E4M3FNUZ>
}

// -----

// What was kept in f32 is taken as it is; the larger of two numbers is one of them, and needs no rounding.
// Of what a core multiplies NaNs have a lower half of zero.
// CHECK-LABEL: kernel.func @kept
// CHECK: %[[X:.*]] = tensor.extract %x
// CHECK-NEXT: %[[N:.*]] = arith.truncf %[[X]] {exact} : f32 to bf16
// CHECK-NEXT: %[[M:.*]] = arith.maximumf %[[X]], %[[X]] : f32
// CHECK-NEXT: %[[K:.*]] = arith.truncf %[[M]] {exact} : f32 to bf16
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[M]], %[[X]] : f32
// CHECK-NEXT: %[[R:.*]] = arith.truncf %[[P]] {short_nans} : f32 to bf16
// CHECK-NEXT: %[[W:.*]] = arith.extf %[[R]] : bf16 to f32
// CHECK-NEXT: tensor.insert %[[W]] into %y
// CHECK-NEXT: tensor.insert %[[M]] into
kernel.func @kept(%x: tensor<f32>, %y: tensor<f32>, %z: tensor<f32>) -> (tensor<f32>, tensor<f32>) attributes {access = ["read", "write", "write"]} {
  %v = tensor.extract %x[] : tensor<f32>
  %n = arith.truncf %v {exact} : f32 to bf16
  %m = arith.maximumf %n, %n : bf16
  %p = arith.mulf %m, %n : bf16
  %w = arith.extf %p : bf16 to f32
  %r = tensor.insert %w into %y[] : tensor<f32>
  %e = arith.extf %m : bf16 to f32
  %s = tensor.insert %e into %z[] : tensor<f32>
  kernel.return %r, %s : tensor<f32>, tensor<f32>
}
