// RUN: stepwell-opt %s --outline-kernels --split-input-file | filecheck %s

// A group becomes a kernel. Its constants and the fill it starts from are made inside; what leaves it is a destination,
// what stays inside a temporary.

// CHECK-LABEL: kernel.func @k_contraction_0(
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x8xf32>, %[[W:[^:]+]]: tensor<8x16xf32>, %[[OUT:[^:]+]]: tensor<4x16xf32>) -> tensor<4x16xf32>
// CHECK-SAME: access = ["read", "read", "write"], kernel.kind = "contraction", kernel.reason = "why"
// CHECK: %[[Z:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x16xf32>
// CHECK: %[[F:.*]] = linalg.fill ins(%[[Z]] : f32) outs(%[[E]] : tensor<4x16xf32>)
// CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[W]] : {{.*}}) outs(%[[F]] : tensor<4x16xf32>)
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[C]] : {{.*}}) outs(%[[OUT]] : tensor<4x16xf32>)
// CHECK: kernel.return %[[R]] : tensor<4x16xf32>
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[A:[^:]+]]: tensor<4x8xf32>, %[[B:[^:]+]]: tensor<8x16xf32>
// CHECK-NEXT: %[[D:.*]] = tensor.empty() : tensor<4x16xf32>
// CHECK-NEXT: %[[L:.*]] = kernel.launch @k_contraction_0 ins(%[[A]], %[[B]] : tensor<4x8xf32>, tensor<8x16xf32>) outs(%[[D]] : tensor<4x16xf32>) {kernel.remarks = ["why not"]} -> tensor<4x16xf32>
// CHECK-NEXT: func.return %[[L]]
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>) -> tensor<4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %c = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x8xf32>, tensor<8x16xf32>) outs(%f : tensor<4x16xf32>) attrs = {kernel.group = 0 : i64, kernel.kind = "contraction", kernel.reason = "why", kernel.remarks = ["why not"]} {
  ^bb0(%a: f32, %d: f32, %acc: f32):
    %m = arith.mulf %a, %d : f32
    %r = arith.addf %acc, %m : f32
    linalg.yield %r : f32
  } -> tensor<4x16xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) attrs = {kernel.group = 0 : i64, kernel.kind = "contraction", kernel.reason = "why"} {
  ^bb0(%a: f32, %o: f32):
    %r = arith.maximumf %a, %zero : f32
    linalg.yield %r : f32
  } -> tensor<4x16xf32>
  func.return %y : tensor<4x16xf32>
}

// -----

// The reshape stands between the ops of group 0 and needs the first of them: it moves behind the launch. A result that
// only the host reads is a destination too.

// CHECK-LABEL: kernel.func @k_map_0
// CHECK: math.exp
// CHECK: math.tanh
// CHECK: kernel.return %{{.*}}, %{{.*}} : tensor<4x2xf32>, tensor<4x2xf32>
// CHECK-LABEL: func.func @order
// CHECK: %[[P:.*]], %[[Q:.*]] = kernel.launch @k_map_0 ins(%{{[^,]*}} : tensor<4x2xf32>)
// CHECK-NEXT: %[[S:.*]] = tensor.collapse_shape %[[P]]
// CHECK-NEXT: func.return %[[S]], %[[Q]]
func.func @order(%x: tensor<4x2xf32>) -> (tensor<8xf32>, tensor<4x2xf32>) {
  %e = tensor.empty() : tensor<4x2xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) attrs = {kernel.group = 0 : i64, kernel.kind = "map"} {
  ^bb0(%i: f32, %o: f32):
    %r = math.exp %i : f32
    linalg.yield %r : f32
  } -> tensor<4x2xf32>
  %s = tensor.collapse_shape %a [[0 : i64, 1 : i64]] : tensor<4x2xf32> into tensor<8xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) attrs = {kernel.group = 0 : i64, kernel.kind = "map"} {
  ^bb0(%i: f32, %o: f32):
    %r = math.tanh %i : f32
    linalg.yield %r : f32
  } -> tensor<4x2xf32>
  func.return %s, %b : tensor<8xf32>, tensor<4x2xf32>
}

// -----

// What is updated in place comes in as a `readwrite` destination; a scalar read on the host is read again inside.

// CHECK-LABEL: kernel.func @k_single_0(
// CHECK-SAME: %[[N:[^:]+]]: tensor<2xf32>, %[[I:[^:]+]]: tensor<i64>, %[[OUT:[^:]+]]: tensor<8xf32>) -> tensor<8xf32>
// CHECK-SAME: access = ["read", "read", "readwrite"]
// CHECK: %[[R:.*]] = structured.update_slice
// CHECK: kernel.return %[[R]]
// CHECK-LABEL: kernel.func @k_map_1(
// CHECK-SAME: tensor<f32>
// CHECK: %[[V:.*]] = tensor.extract %{{.*}}[] : tensor<f32>
// CHECK: linalg.fill ins(%[[V]] : f32)
// CHECK-LABEL: func.func @in_place
// CHECK-SAME: %[[BASE:[^:]+]]: tensor<8xf32>
// CHECK-NOT: tensor.extract
// CHECK: kernel.launch @k_single_0 ins({{.*}}) outs(%[[BASE]] : tensor<8xf32>)
// CHECK-NOT: tensor.extract
// CHECK: kernel.launch @k_map_1
// CHECK-NEXT: func.return
func.func @in_place(%base: tensor<8xf32>, %new: tensor<2xf32>, %i: tensor<i64>, %v: tensor<f32>) -> (tensor<8xf32>, tensor<3xf32>) {
  %u = structured.update_slice ins(%new, %i : tensor<2xf32>, tensor<i64>) outs(%base : tensor<8xf32>) {kernel.group = 0 : i64, kernel.kind = "single"} -> tensor<8xf32>
  %s = tensor.extract %v[] : tensor<f32>
  %e = tensor.empty() : tensor<3xf32>
  %f = linalg.fill {kernel.group = 1 : i64, kernel.kind = "map"} ins(%s : f32) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  func.return %u, %f : tensor<8xf32>, tensor<3xf32>
}

// -----

// A constant without elements is made again inside, as one of equal elements is.

// CHECK-LABEL: kernel.func @k_map_0(
// CHECK-SAME: %{{[^:]+}}: tensor<0xf32>, %{{[^:]+}}: tensor<0xf32>) -> tensor<0xf32>
// CHECK: arith.constant dense<> : tensor<0xf32>
// CHECK-LABEL: func.func @nothing
// CHECK: kernel.launch @k_map_0 ins(%{{.*}} : tensor<0xf32>)
func.func @nothing(%x: tensor<0xf32>) -> tensor<0xf32> {
  %c = arith.constant dense<> : tensor<0xf32>
  %e = tensor.empty() : tensor<0xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x, %c : tensor<0xf32>, tensor<0xf32>) outs(%e : tensor<0xf32>) attrs = {kernel.group = 0 : i64, kernel.kind = "map"} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<0xf32>
  func.return %r : tensor<0xf32>
}
