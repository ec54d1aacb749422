// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(kernel.func(expand-math))' | filecheck %s

// Wide vectors are divided by one number through its reciprocal where that is exact, which lanes are asked for first.

// CHECK-LABEL: kernel.func @wide
// CHECK-SAME: (%[[X:.*]]: tensor<16xf32>, %[[S:.*]]: tensor<f32>
// CHECK: %[[N:.*]] = tensor.extract %[[S]]
// CHECK: %[[A:.*]] = vector.transfer_read
// CHECK: %[[B:.*]] = vector.broadcast %[[N]]
// CHECK: %[[Z:.*]] = arith.cmpf oeq, %[[A]]
// CHECK: vector.reduction <or>
// CHECK: scf.if
// CHECK-NEXT: %[[D:.*]] = arith.divf %[[A]], %[[B]] : vector<16xf32>
// CHECK: } else {
// CHECK: arith.divf %{{.*}}, %[[N]] : f32
// CHECK: %[[Q:.*]] = arith.mulf %[[A]], %{{.*}} : vector<16xf32>
// CHECK-COUNT-4: math.fma
// CHECK: arith.select %[[Z]], %[[Q]]
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, features = "+fma"}>} {
  kernel.func @wide(%x: tensor<16xf32>, %s: tensor<f32>, %y: tensor<16xf32>) -> tensor<16xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0 : index
    %p = arith.constant 0.0 : f32
    %n = tensor.extract %s[] : tensor<f32>
    %a = vector.transfer_read %x[%z], %p {in_bounds = [true]} : tensor<16xf32>, vector<16xf32>
    %b = vector.broadcast %n : f32 to vector<16xf32>
    %q = arith.divf %a, %b : vector<16xf32>
    %r = vector.transfer_write %q, %y[%z] {in_bounds = [true]} : vector<16xf32>, tensor<16xf32>
    kernel.return %r : tensor<16xf32>
  }
}

// -----

// CHECK-LABEL: kernel.func @narrow
// CHECK-NOT: scf.if
module attributes {stepwell.target = #stepwell.target<{level = "avx2", vector_bits = 256 : i64, features = "+fma"}>} {
  kernel.func @narrow(%x: tensor<8xf32>, %s: tensor<f32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0 : index
    %p = arith.constant 0.0 : f32
    %n = tensor.extract %s[] : tensor<f32>
    %a = vector.transfer_read %x[%z], %p {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %b = vector.broadcast %n : f32 to vector<8xf32>
    %q = arith.divf %a, %b : vector<8xf32>
    %r = vector.transfer_write %q, %y[%z] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    kernel.return %r : tensor<8xf32>
  }
}

// -----

// What a loop does not change is asked, and its reciprocal taken, before the loop; what the loop changes is divided.
// CHECK-LABEL: kernel.func @rows
// CHECK: %[[B:.*]] = vector.transfer_read %s
// CHECK: vector.reduction <or>
// CHECK: arith.divf %{{.*}}, %[[B]] : vector<16xf32>
// CHECK: arith.negf %[[B]]
// CHECK: scf.for
// CHECK: %[[A:.*]] = vector.transfer_read
// CHECK: scf.if
// CHECK-NEXT: arith.divf %[[A]], %[[B]]
// CHECK: } else {
// CHECK-COUNT-4: math.fma
// CHECK: arith.divf %{{.*}}, %[[A]]
// CHECK-NOT: scf.if
module attributes {stepwell.target = #stepwell.target<{level = "avx512", vector_bits = 512 : i64, features = "+fma"}>} {
  kernel.func @rows(%x: tensor<7x16xf32>, %s: tensor<16xf32>, %y: tensor<7x16xf32>) -> tensor<7x16xf32> attributes {access = ["read", "read", "write"]} {
    %z = arith.constant 0 : index
    %o = arith.constant 1 : index
    %n = arith.constant 7 : index
    %p = arith.constant 0.0 : f32
    %b = vector.transfer_read %s[%z], %p {in_bounds = [true]} : tensor<16xf32>, vector<16xf32>
    %l = scf.for %i = %z to %n step %o iter_args(%t = %y) -> (tensor<7x16xf32>) {
      %a = vector.transfer_read %x[%i, %z], %p {in_bounds = [true]} : tensor<7x16xf32>, vector<16xf32>
      %q = arith.divf %a, %b : vector<16xf32>
      %u = arith.divf %q, %a : vector<16xf32>
      %r = vector.transfer_write %u, %t[%i, %z] {in_bounds = [true]} : vector<16xf32>, tensor<7x16xf32>
      scf.yield %r : tensor<7x16xf32>
    }
    kernel.return %l : tensor<7x16xf32>
  }
}
