// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(apply-schedule)' | filecheck %s

// Lines are shared out over tasks, the last of which has fewer; a task reads its lines where they are.

// CHECK-LABEL: kernel.func @lines
// CHECK-SAME: (%[[X:.*]]: tensor<7x900xf32>, %[[V:.*]]: tensor<7x8xf32>, %[[P:.*]]: tensor<7x8xi32>)
// CHECK: scf.forall (%[[T:.*]]) in (4) shared_outs(%[[VO:.*]] = %[[V]], %[[PO:.*]] = %[[P]])
// CHECK: %[[S:.*]] = affine.apply affine_map<(d0) -> ((d0 * 2))> (%[[T]])
// CHECK: %[[N:.*]] = arith.minsi
// CHECK: %[[VS:.*]] = tensor.extract_slice %[[VO]][%[[S]], 0] [%[[N]], 8] [1, 1]
// CHECK: %[[PS:.*]] = tensor.extract_slice %[[PO]][%[[S]], 0] [%[[N]], 8] [1, 1]
// CHECK: %[[XS:.*]] = tensor.extract_slice %[[X]][%[[S]], 0] [%[[N]], 900] [1, 1]
// CHECK: structured.top_k ins(%[[XS]] : tensor<?x900xf32>) outs(%[[VS]], %[[PS]] : tensor<?x8xf32>, tensor<?x8xi32>) {vector = 32 : i64}
kernel.func @lines(%x: tensor<7x900xf32>, %v: tensor<7x8xf32>, %p: tensor<7x8xi32>) -> (tensor<7x8xf32>, tensor<7x8xi32>) attributes {
    access = ["read", "write", "write"], schedule = #kernel.schedule<"loops", {vector = 32 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %a, %b = structured.top_k ins(%x : tensor<7x900xf32>) outs(%v, %p : tensor<7x8xf32>, tensor<7x8xi32>) -> (tensor<7x8xf32>, tensor<7x8xi32>)
  kernel.return %a, %b : tensor<7x8xf32>, tensor<7x8xi32>
}

// -----

// One line is one task.

// CHECK-LABEL: kernel.func @line
// CHECK: scf.forall (%{{.*}}) in (1)
kernel.func @line(%x: tensor<900xf32>, %v: tensor<8xf32>, %p: tensor<8xi32>) -> (tensor<8xf32>, tensor<8xi32>) attributes {
    access = ["read", "write", "write"], schedule = #kernel.schedule<"loops", {vector = 32 : i64, tasks = 4 : i64, grain = 1 : i64}>} {
  %a, %b = structured.top_k ins(%x : tensor<900xf32>) outs(%v, %p : tensor<8xf32>, tensor<8xi32>) -> (tensor<8xf32>, tensor<8xi32>)
  kernel.return %a, %b : tensor<8xf32>, tensor<8xi32>
}
