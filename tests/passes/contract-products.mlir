// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(kernel.func(contract-products))' | filecheck %s

// Sums, differences either way round, and of two products the left one.

// CHECK-LABEL: kernel.func @forms
// CHECK: %[[V:.*]] = vector.transfer_read
// CHECK-NEXT: %[[S0:.*]] = math.fma %[[V]], %[[V]], %[[V]] : vector<8xf32>
// CHECK-NEXT: %[[S1:.*]] = math.fma %[[V]], %[[S0]], %[[V]] : vector<8xf32>
// CHECK-NEXT: %[[NEGATED:.*]] = arith.negf %[[S1]] : vector<8xf32>
// CHECK-NEXT: %[[S2:.*]] = math.fma %[[V]], %[[V]], %[[NEGATED]] : vector<8xf32>
// CHECK-NEXT: %[[MINUS:.*]] = arith.negf %[[V]] : vector<8xf32>
// CHECK-NEXT: %[[S3:.*]] = math.fma %[[MINUS]], %[[V]], %[[S2]] : vector<8xf32>
// CHECK-NEXT: %[[RIGHT:.*]] = arith.mulf %[[S2]], %[[S3]] : vector<8xf32>
// CHECK-NEXT: %[[S4:.*]] = math.fma %[[V]], %[[S3]], %[[RIGHT]] : vector<8xf32>
// CHECK-NEXT: vector.transfer_write %[[S4]]
module attributes {stepwell.fp_contract} {
  kernel.func @forms(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
    %z = arith.constant 0 : index
    %p = arith.constant 0.0 : f32
    %v = vector.transfer_read %x[%z], %p {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %p0 = arith.mulf %v, %v : vector<8xf32>
    %s0 = arith.addf %p0, %v : vector<8xf32>
    %p1 = arith.mulf %v, %s0 : vector<8xf32>
    %s1 = arith.addf %v, %p1 : vector<8xf32>
    %p2 = arith.mulf %v, %v : vector<8xf32>
    %s2 = arith.subf %p2, %s1 : vector<8xf32>
    %p3 = arith.mulf %v, %v : vector<8xf32>
    %s3 = arith.subf %s2, %p3 : vector<8xf32>
    %p4 = arith.mulf %v, %s3 : vector<8xf32>
    %p5 = arith.mulf %s2, %s3 : vector<8xf32>
    %s4 = arith.addf %p4, %p5 : vector<8xf32>
    %r = vector.transfer_write %s4, %y[%z] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    kernel.return %r : tensor<8xf32>
  }
}

// -----

// A product that is read twice, small floats and integers stay; the attribute may be a truth value.

// CHECK-LABEL: kernel.func @kept
// CHECK-NOT: math.fma
// CHECK: kernel.return
module attributes {stepwell.fp_contract = true} {
  kernel.func @kept(%x: tensor<f32>, %h: tensor<f16>, %i: tensor<i32>, %y: tensor<2xf32>) -> tensor<2xf32>
      attributes {access = ["read", "read", "read", "write"]} {
    %a = tensor.extract %x[] : tensor<f32>
    %p = arith.mulf %a, %a : f32
    %s = arith.addf %p, %p : f32
    %b = tensor.extract %h[] : tensor<f16>
    %q = arith.mulf %b, %b : f16
    %t = arith.addf %q, %b : f16
    %w = arith.extf %t : f16 to f32
    %r = tensor.from_elements %s, %w : tensor<2xf32>
    kernel.return %r : tensor<2xf32>
  }
}

// -----

// Nothing where nobody asked for it, where the answer was no, and on machines without the op.

// CHECK-LABEL: kernel.func @unasked
// CHECK-NOT: math.fma
// CHECK: kernel.return
module {
  kernel.func @unasked(%x: tensor<f32>, %y: tensor<1xf32>) -> tensor<1xf32> attributes {access = ["read", "write"]} {
    %a = tensor.extract %x[] : tensor<f32>
    %p = arith.mulf %a, %a : f32
    %s = arith.addf %p, %a : f32
    %r = tensor.from_elements %s : tensor<1xf32>
    kernel.return %r : tensor<1xf32>
  }
}

// -----

// CHECK-LABEL: kernel.func @refused
// CHECK-NOT: math.fma
// CHECK: kernel.return
module attributes {stepwell.fp_contract = false} {
  kernel.func @refused(%x: tensor<f32>, %y: tensor<1xf32>) -> tensor<1xf32> attributes {access = ["read", "write"]} {
    %a = tensor.extract %x[] : tensor<f32>
    %p = arith.mulf %a, %a : f32
    %s = arith.addf %p, %a : f32
    %r = tensor.from_elements %s : tensor<1xf32>
    kernel.return %r : tensor<1xf32>
  }
}

// -----

// CHECK-LABEL: kernel.func @without
// CHECK-NOT: math.fma
// CHECK: kernel.return
module attributes {stepwell.fp_contract, stepwell.target = #stepwell.target<{level = "sse4.2", vector_bits = 128 : i64, features = ""}>} {
  kernel.func @without(%x: tensor<f32>, %y: tensor<1xf32>) -> tensor<1xf32> attributes {access = ["read", "write"]} {
    %a = tensor.extract %x[] : tensor<f32>
    %p = arith.mulf %a, %a : f32
    %s = arith.addf %p, %a : f32
    %r = tensor.from_elements %s : tensor<1xf32>
    kernel.return %r : tensor<1xf32>
  }
}
