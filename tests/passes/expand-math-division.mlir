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
