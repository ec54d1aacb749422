// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(raise-attention)' | filecheck %s

// Scores scaled and masked below the diagonal; keys and values in another layout than queries; the result turned.

// CHECK-LABEL: func.func @causal
// CHECK-SAME: (%[[Q:.*]]: tensor<2x8x4x16xf32>, %[[K:.*]]: tensor<2x8x4x16xf32>, %[[V:.*]]: tensor<2x8x4x24xf32>)
// CHECK: %[[O:.*]] = stablehlo.composite "stepwell.attention" %[[Q]], %[[K]], %[[V]] {decomposition = @attention}
// CHECK-NEXT: func.return %[[O]]
// CHECK: func.func private @attention
// CHECK: stablehlo.iota dim = 0
// CHECK: stablehlo.dot_general
// CHECK: stablehlo.select
// CHECK: stablehlo.exponential
// CHECK: stablehlo.dot_general
func.func @causal(%q: tensor<2x8x4x16xf32>, %k: tensor<2x8x4x16xf32>, %v: tensor<2x8x4x24xf32>) -> tensor<2x4x24x8xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %fill = stablehlo.constant dense<-1.0e9> : tensor<f32>
  %scale = stablehlo.constant dense<0.25> : tensor<f32>
  %0 = stablehlo.dot_general %q, %k, batching_dims = [0, 2] x [0, 2], contracting_dims = [3] x [3] : (tensor<2x8x4x16xf32>, tensor<2x8x4x16xf32>) -> tensor<2x4x8x8xf32>
  %1 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<2x4x8x8xf32>
  %2 = stablehlo.multiply %0, %1 : tensor<2x4x8x8xf32>
  %i = stablehlo.iota dim = 0 : tensor<8x8xi32>
  %j = stablehlo.iota dim = 1 : tensor<8x8xi32>
  %c = stablehlo.compare GE, %i, %j, SIGNED : (tensor<8x8xi32>, tensor<8x8xi32>) -> tensor<8x8xi1>
  %cc = stablehlo.broadcast_in_dim %c, dims = [2, 3] : (tensor<8x8xi1>) -> tensor<2x4x8x8xi1>
  %f = stablehlo.broadcast_in_dim %fill, dims = [] : (tensor<f32>) -> tensor<2x4x8x8xf32>
  %s = stablehlo.select %cc, %2, %f : tensor<2x4x8x8xi1>, tensor<2x4x8x8xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [3] : (tensor<2x4x8x8xf32>, tensor<f32>) -> tensor<2x4x8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0, 1, 2] : (tensor<2x4x8xf32>) -> tensor<2x4x8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<2x4x8x8xf32>
  %e = stablehlo.exponential %d : tensor<2x4x8x8xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [3] : (tensor<2x4x8x8xf32>, tensor<f32>) -> tensor<2x4x8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0, 1, 2] : (tensor<2x4x8xf32>) -> tensor<2x4x8x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<2x4x8x8xf32>
  %o = stablehlo.dot_general %v, %w, batching_dims = [0, 2] x [0, 1], contracting_dims = [1] x [3] : (tensor<2x8x4x24xf32>, tensor<2x4x8x8xf32>) -> tensor<2x4x24x8xf32>
  func.return %o : tensor<2x4x24x8xf32>
}

// -----

// Operands narrower than the softmax, weights rounded for the last product, a bias from outside; equal ones are one function.

// CHECK-LABEL: func.func @narrow
// CHECK-SAME: (%[[Q:.*]]: tensor<8x16xbf16>, %[[K:.*]]: tensor<12x16xbf16>, %[[V:.*]]: tensor<12x16xbf16>, %[[B:.*]]: tensor<8x12xf32>)
// CHECK: %[[O:.*]] = stablehlo.composite "stepwell.attention" %[[Q]], %[[K]], %[[V]], %[[B]] {decomposition = @attention_1}
// CHECK: stablehlo.composite "stepwell.attention" %[[O]], %[[K]], %[[V]], %[[B]] {decomposition = @attention_1}
// CHECK: func.func private @attention()
// CHECK: func.func private @attention_1(
// CHECK-NOT: func.func private @attention_2
func.func @narrow(%q: tensor<8x16xbf16>, %k: tensor<12x16xbf16>, %v: tensor<12x16xbf16>, %b: tensor<8x12xf32>) -> tensor<8x16xbf16> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %0 = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xf32>
  %s = stablehlo.add %0, %b : tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x12xf32>
  %wb = stablehlo.convert %w : (tensor<8x12xf32>) -> tensor<8x12xbf16>
  %o = stablehlo.dot_general %wb, %v, contracting_dims = [1] x [0] : (tensor<8x12xbf16>, tensor<12x16xbf16>) -> tensor<8x16xbf16>
  %1 = stablehlo.dot_general %o, %k, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xf32>
  %s1 = stablehlo.add %1, %b : tensor<8x12xf32>
  %m1 = stablehlo.reduce(%s1 init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm1 = stablehlo.broadcast_in_dim %m1, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d1 = stablehlo.subtract %s1, %mm1 : tensor<8x12xf32>
  %e1 = stablehlo.exponential %d1 : tensor<8x12xf32>
  %t1 = stablehlo.reduce(%e1 init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt1 = stablehlo.broadcast_in_dim %t1, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w1 = stablehlo.divide %e1, %tt1 : tensor<8x12xf32>
  %wb1 = stablehlo.convert %w1 : (tensor<8x12xf32>) -> tensor<8x12xbf16>
  %o1 = stablehlo.dot_general %wb1, %v, contracting_dims = [1] x [0] : (tensor<8x12xbf16>, tensor<12x16xbf16>) -> tensor<8x16xbf16>
  func.return %o1 : tensor<8x16xbf16>
}
func.func private @attention() {
  func.return
}

// -----

// The maximum of scores that are turned before or after it.

// CHECK-LABEL: func.func @turned_after
// CHECK: %[[O:.*]] = stablehlo.composite "stepwell.attention"
// CHECK-NEXT: func.return %[[O]]
// CHECK-LABEL: func.func @turned_before
// CHECK: %[[P:.*]] = stablehlo.composite "stepwell.attention"
// CHECK-NEXT: func.return %[[P]]
func.func @turned_after(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %p = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%p init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %s = stablehlo.transpose %p, dims = [1, 0] : (tensor<8x12xf32>) -> tensor<12x8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [1] : (tensor<8xf32>) -> tensor<12x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<12x8xf32>
  %e = stablehlo.exponential %d : tensor<12x8xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<12x8xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [1] : (tensor<8xf32>) -> tensor<12x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<12x8xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [0] x [0] : (tensor<12x8xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}
func.func @turned_before(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %c = stablehlo.transpose %s, dims = [1, 0] : (tensor<8x12xf32>) -> tensor<12x8xf32>
  %m = stablehlo.reduce(%c init: %low) applies stablehlo.maximum across dimensions = [0] : (tensor<12x8xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x12xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// The same along the wrong dim is none.

// CHECK-LABEL: func.func @turned_wrong
// CHECK-NOT: stablehlo.composite
// CHECK: kernel.remarks = ["no attention: the softmax subtracts something else than its maximum"]
func.func @turned_wrong(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %v: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x8xf32>
  %c = stablehlo.transpose %s, dims = [1, 0] : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %m = stablehlo.reduce(%c init: %low) applies stablehlo.maximum across dimensions = [0] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [1] : (tensor<8xf32>) -> tensor<8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x8xf32>
  %e = stablehlo.exponential %d : tensor<8x8xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x8xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// -----

// The weights are a result as well: as a gradient would read them.

// CHECK-LABEL: func.func @weights_are_read
// CHECK-NOT: composite
// CHECK: stablehlo.dot_general %{{.*}}, %{{.*}} {{.*}}kernel.remarks = ["no attention: stablehlo.divide of its scores or weights is read by something else"]
func.func @weights_are_read(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>) -> (tensor<8x16xf32>, tensor<8x12xf32>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x12xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  func.return %o, %w : tensor<8x16xf32>, tensor<8x12xf32>
}

// -----

// A softmax over queries, whose product sums over keys, is none.

// CHECK-LABEL: func.func @other_dim
// CHECK-NOT: composite
// CHECK: kernel.remarks = ["no attention: the product with the values sums over another dim than the softmax does"]
func.func @other_dim(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %v: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x8xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [0] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [1] : (tensor<8xf32>) -> tensor<8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x8xf32>
  %e = stablehlo.exponential %d : tensor<8x8xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [1] : (tensor<8xf32>) -> tensor<8x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x8xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// -----

// What is subtracted is not the maximum of the same scores: large scores would overflow where these do not.

// CHECK-LABEL: func.func @guarded_maximum
// CHECK-NOT: composite
// CHECK: kernel.remarks = ["no attention: the softmax subtracts something else than its maximum"]
func.func @guarded_maximum(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %v: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %zeros = stablehlo.constant dense<0.0> : tensor<8xf32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x8xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %f = stablehlo.is_finite %m : (tensor<8xf32>) -> tensor<8xi1>
  %g = stablehlo.select %f, %m, %zeros : tensor<8xi1>, tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %g, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x8xf32>
  %e = stablehlo.exponential %d : tensor<8x8xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x8xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// -----

// A softmax without a product before it, and one in a type of little precision.

// CHECK-LABEL: func.func @no_product
// CHECK-NOT: composite
// CHECK: kernel.remarks = ["no attention: its scores are no product of queries and keys"]
func.func @no_product(%s: tensor<8x8xf32>, %v: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x8xf32>
  %e = stablehlo.exponential %d : tensor<8x8xf32>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x8xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}
// CHECK-LABEL: func.func @softmax_in_bf16
// CHECK-NOT: composite
// CHECK: kernel.remarks = ["no attention: the softmax is computed in bf16"]
func.func @softmax_in_bf16(%q: tensor<8x16xbf16>, %k: tensor<8x16xbf16>, %v: tensor<8x16xbf16>) -> tensor<8x16xbf16> {
  %low = stablehlo.constant dense<0xff80> : tensor<bf16>
  %zero = stablehlo.constant dense<0.0> : tensor<bf16>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<8x16xbf16>) -> tensor<8x8xbf16>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x8xbf16>, tensor<bf16>) -> tensor<8xbf16>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xbf16>) -> tensor<8x8xbf16>
  %d = stablehlo.subtract %s, %mm : tensor<8x8xbf16>
  %e = stablehlo.exponential %d : tensor<8x8xbf16>
  %t = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x8xbf16>, tensor<bf16>) -> tensor<8xbf16>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xbf16>) -> tensor<8x8xbf16>
  %w = stablehlo.divide %e, %tt : tensor<8x8xbf16>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x8xbf16>, tensor<8x16xbf16>) -> tensor<8x16xbf16>
  func.return %o : tensor<8x16xbf16>
}

// -----

// What a mask leaves out weighs nothing, even in a row of which nothing is left.

// CHECK-LABEL: func.func @left_out
// CHECK-NOT: composite
// CHECK: kernel.remarks = ["no attention: the softmax leaves elements out: a row without any is 0, not NaN"]
func.func @left_out(%q: tensor<8x16xf32>, %k: tensor<8x16xf32>, %v: tensor<8x16xf32>, %keep: tensor<8x8xi1>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %zeros = stablehlo.constant dense<0.0> : tensor<8x8xf32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<8x8xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x8xf32>
  %e = stablehlo.exponential %d : tensor<8x8xf32>
  %kept = stablehlo.select %keep, %e, %zeros : tensor<8x8xi1>, tensor<8x8xf32>
  %t = stablehlo.reduce(%kept init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x8xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x8xf32>
  %w = stablehlo.divide %e, %tt : tensor<8x8xf32>
  %ww = stablehlo.select %keep, %w, %zeros : tensor<8x8xi1>, tensor<8x8xf32>
  %o = stablehlo.dot_general %ww, %v, contracting_dims = [1] x [0] : (tensor<8x8xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// -----

// Weights of which some are dropped.

// CHECK-LABEL: func.func @dropout
// CHECK-NOT: stepwell.attention
// CHECK: stablehlo.dot_general %{{.*}}, %v, {{.*}} {kernel.remarks = ["no attention: its weights are changed between the softmax and the values, as dropout does"]}
func.func @dropout(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %keep: tensor<8x12xi1>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %rate = stablehlo.constant dense<0.9> : tensor<8x12xf32>
  %zeros = stablehlo.constant dense<0.0> : tensor<8x12xf32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %scaled = stablehlo.divide %w, %rate : tensor<8x12xf32>
  %dropped = stablehlo.select %keep, %scaled, %zeros : tensor<8x12xi1>, tensor<8x12xf32>
  %o = stablehlo.dot_general %dropped, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// -----

// CHECK-LABEL: func.func @dropout_by_product
// CHECK-NOT: stepwell.attention
// CHECK: stablehlo.dot_general %{{.*}}, %v, {{.*}} {kernel.remarks = ["no attention: its weights are changed between the softmax and the values, as dropout does"]}
func.func @dropout_by_product(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %keep: tensor<8x12xi1>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %mask = stablehlo.convert %keep : (tensor<8x12xi1>) -> tensor<8x12xf32>
  %dropped = stablehlo.multiply %mask, %w : tensor<8x12xf32>
  %o = stablehlo.dot_general %dropped, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}

// -----

// Weights times anything are no weights: nothing is said, as of what a softmax passes back.

// CHECK-LABEL: func.func @weighted
// CHECK-NOT: kernel.remarks
// CHECK: func.return
func.func @weighted(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %keep: tensor<8x12xi1>) -> tensor<8x16xf32> {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %dropped = stablehlo.multiply %w, %d : tensor<8x12xf32>
  %o = stablehlo.dot_general %dropped, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  func.return %o : tensor<8x16xf32>
}
