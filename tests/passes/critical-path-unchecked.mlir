// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(critical-path)' 2> %t.remarks | filecheck %s
// RUN: filecheck %s --input-file=%t.remarks --check-prefix=REMARK

// The index of a read that is a number of the program: nobody bounds it. One of a loop is not of the program, however it is bounded,
// and neither is what else than reads has of a bounded number.
// REMARK: remark: 'tensor.extract' op does not check an index: one that is not in 0 ... 99 is undefined behaviour
// CHECK-LABEL: kernel.func @reads
// CHECK: ^bb0(%[[I:.*]]: i32, %[[U:.*]]: i64, %{{.*}}: f32):
// CHECK: %[[CAST:.*]] = arith.index_cast %[[I]]
// CHECK-NEXT: %[[L:.*]] = linalg.index 1
// CHECK-NEXT: %[[MOVED:.*]] = arith.addi %[[CAST]], %[[L]]
// CHECK-NEXT: %[[PAD:.*]] = arith.minsi %[[L]]
// CHECK-NEXT: %{{.*}} = tensor.extract %{{.*}}[%[[MOVED]], %[[PAD]]]
// CHECK-NEXT: %[[V:.*]] = arith.index_castui %[[U]]
// CHECK-NEXT: %[[SHOWN:.*]] = arith.minui %[[V]]
// CHECK-NEXT: arith.index_cast %[[SHOWN]]
func.func @main(%x: tensor<101x8xf32>, %i: tensor<5xi32>, %u: tensor<5xi64>) -> tensor<5x2xf32> attributes {stepwell.unchecked_indices} {
  %d = tensor.empty() : tensor<5x2xf32>
  %r = kernel.launch @reads ins(%i, %u, %x : tensor<5xi32>, tensor<5xi64>, tensor<101x8xf32>) outs(%d : tensor<5x2xf32>) -> tensor<5x2xf32>
  return %r : tensor<5x2xf32>
}
kernel.func @reads(%i: tensor<5xi32>, %u: tensor<5xi64>, %x: tensor<101x8xf32>, %out: tensor<5x2xf32>) -> tensor<5x2xf32>
    attributes {access = ["read", "read", "read", "write"], schedule = #kernel.schedule<"loops", {tasks = 1 : i64}>} {
  %zero = arith.constant 0 : index
  %last = arith.constant 99 : index
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%i, %u : tensor<5xi32>, tensor<5xi64>) outs(%out : tensor<5x2xf32>) {
  ^bb0(%s: i32, %t: i64, %o: f32):
    %a = arith.index_cast %s : i32 to index
    %b = arith.minsi %a, %last : index
    %c = arith.maxsi %b, %zero : index
    %l = linalg.index 1 : index
    %m = arith.addi %c, %l : index
    %p = arith.minsi %l, %zero : index
    %e = tensor.extract %x[%m, %p] : tensor<101x8xf32>
    %v = arith.index_castui %t : i64 to index
    %w = arith.minui %v, %last : index
    %n = arith.index_cast %w : index to i64
    %f = arith.sitofp %n : i64 to f32
    %g = arith.addf %e, %f : f32
    linalg.yield %g : f32
  } -> tensor<5x2xf32>
  kernel.return %r : tensor<5x2xf32>
}

// -----

// Updates say that nobody checks them; they are looked at where they become loops.
// REMARK: remark: 'structured.update_slice' op does not check its indices: a start that leaves no room for the update is undefined
// REMARK: remark: 'structured.scatter' op does not check its indices: an update outside of the destination is undefined behaviour
// CHECK-LABEL: kernel.func @updates
// CHECK: structured.update_slice {{.*}} {unchecked} -> tensor<9xf32>
// CHECK: structured.scatter {{.*}}unchecked}
func.func @main(%x: tensor<9xf32>, %u: tensor<2xf32>, %k: tensor<i32>) -> tensor<9xf32> attributes {stepwell.unchecked_indices} {
  %r = kernel.launch @updates ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  return %r : tensor<9xf32>
}
kernel.func @updates(%u: tensor<2xf32>, %k: tensor<i32>, %x: tensor<9xf32>) -> tensor<9xf32>
    attributes {access = ["read", "read", "readwrite"], schedule = #kernel.schedule<"loops", {tasks = 1 : i64}>} {
  %0 = structured.update_slice ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  %1 = structured.scatter ins(%k, %u : tensor<i32>, tensor<2xf32>) outs(%0 : tensor<9xf32>) {update_window_dims = array<i64: 0>, inserted_window_dims = array<i64>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 0 : i64} {
  ^bb0(%a: f32, %b: f32):
    structured.yield %b : f32
  } -> tensor<9xf32>
  kernel.return %1 : tensor<9xf32>
}

// -----

// What a function with checks launches keeps them. Of one that nobody promised anything of nothing is said.
// REMARK: remark: 'kernel.func' op @shared keeps the checks of its indices: @other, which has them checked, launches it too
// REMARK-NOT: remark
// CHECK-LABEL: kernel.func @shared
// CHECK-NOT: unchecked
func.func @main(%x: tensor<9xf32>, %u: tensor<2xf32>, %k: tensor<i32>) -> tensor<9xf32> attributes {stepwell.unchecked_indices} {
  %r = kernel.launch @shared ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  return %r : tensor<9xf32>
}
func.func @other(%x: tensor<9xf32>, %u: tensor<2xf32>, %k: tensor<i32>) -> tensor<9xf32> {
  %r = kernel.launch @shared ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  %s = kernel.launch @alone ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%r : tensor<9xf32>) -> tensor<9xf32>
  return %s : tensor<9xf32>
}
kernel.func @shared(%u: tensor<2xf32>, %k: tensor<i32>, %x: tensor<9xf32>) -> tensor<9xf32>
    attributes {access = ["read", "read", "readwrite"], schedule = #kernel.schedule<"loops", {tasks = 1 : i64}>} {
  %0 = structured.update_slice ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  kernel.return %0 : tensor<9xf32>
}
kernel.func @alone(%u: tensor<2xf32>, %k: tensor<i32>, %x: tensor<9xf32>) -> tensor<9xf32>
    attributes {access = ["read", "read", "readwrite"], schedule = #kernel.schedule<"loops", {tasks = 1 : i64}>} {
  %0 = structured.update_slice ins(%u, %k : tensor<2xf32>, tensor<i32>) outs(%x : tensor<9xf32>) -> tensor<9xf32>
  kernel.return %0 : tensor<9xf32>
}
