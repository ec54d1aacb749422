// RUN: stepwell-opt %s --deduplicate-kernels --split-input-file | filecheck %s

// Names, locations and explanations do not tell kernels apart; access, constants and shapes do.

// CHECK-LABEL: kernel.func @first
// CHECK-NOT: kernel.func @second
// CHECK: kernel.func @other_access
// CHECK: kernel.func @other_constant
// CHECK: kernel.func @other_shape
// CHECK-LABEL: func.func @main
// CHECK: kernel.launch @first ins(%x : tensor<4xf32>)
// CHECK: kernel.launch @first ins(%y : tensor<4xf32>)
// CHECK: kernel.launch @other_access
// CHECK: kernel.launch @other_constant
// CHECK: kernel.launch @other_shape
// CHECK: scf.if
// CHECK: kernel.launch @first
kernel.func @first(%a: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"], kernel.kind = "map", kernel.reason = "one op"} {
  %c = arith.constant 1.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%out : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %i, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  kernel.return %r : tensor<4xf32>
}
kernel.func @second(%b: tensor<4xf32>, %to: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"], kernel.kind = "map", kernel.reason = "another way here"} {
  %one = arith.constant 1.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%b : tensor<4xf32>) outs(%to : tensor<4xf32>) {
  ^bb0(%j: f32, %k: f32):
    %sum = arith.addf %j, %one : f32
    linalg.yield %sum : f32
  } -> tensor<4xf32>
  kernel.return %r : tensor<4xf32>
}
kernel.func @other_access(%a: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "readwrite"]} {
  %c = arith.constant 1.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%out : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %i, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  kernel.return %r : tensor<4xf32>
}
kernel.func @other_constant(%a: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"]} {
  %c = arith.constant 2.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%out : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %i, %c : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  kernel.return %r : tensor<4xf32>
}
kernel.func @other_shape(%a: tensor<5xf32>, %out: tensor<5xf32>) -> tensor<5xf32> attributes {access = ["read", "write"]} {
  %c = arith.constant 1.0 : f32
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : tensor<5xf32>) outs(%out : tensor<5xf32>) {
  ^bb0(%i: f32, %o: f32):
    %s = arith.addf %i, %c : f32
    linalg.yield %s : f32
  } -> tensor<5xf32>
  kernel.return %r : tensor<5xf32>
}
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>, %z: tensor<5xf32>, %c: i1) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>, tensor<4xf32>) {
  %d = tensor.empty() : tensor<4xf32>
  %e = tensor.empty() : tensor<5xf32>
  %0 = kernel.launch @first ins(%x : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %1 = kernel.launch @second ins(%y : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %2 = kernel.launch @other_access ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) -> tensor<4xf32>
  %3 = kernel.launch @other_constant ins(%x : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
  %4 = kernel.launch @other_shape ins(%z : tensor<5xf32>) outs(%e : tensor<5xf32>) -> tensor<5xf32>
  %5 = scf.if %c -> (tensor<4xf32>) {
    %6 = kernel.launch @second ins(%x : tensor<4xf32>) outs(%d : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %6 : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  func.return %0, %1, %2, %3, %4, %5 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>, tensor<4xf32>
}
