// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(raise-attention-gradient,raise-attention)' | filecheck %s

// As JAX writes it, under a causal mask; the constant that is the gradient of a sum is an operand, spread or not.

// CHECK-LABEL: func.func @causal
// CHECK-SAME: (%[[Q:.*]]: tensor<2x8x16xf32>, %[[K:.*]]: tensor<2x8x16xf32>, %[[V:.*]]: tensor<2x8x24xf32>)
// CHECK: %[[ONES:.*]] = stablehlo.broadcast_in_dim
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = stablehlo.composite "stepwell.attention_gradient" %[[Q]], %[[K]], %[[V]], %[[ONES]] {decomposition = @attention_gradient}
// CHECK-NEXT: func.return %[[DQ]], %[[DK]], %[[DV]]
// CHECK: func.func private @attention_gradient
// CHECK: stablehlo.dot_general
// CHECK: stablehlo.exponential
// CHECK: stablehlo.select
func.func @causal(%q: tensor<2x8x16xf32>, %k: tensor<2x8x16xf32>, %v: tensor<2x8x24xf32>) -> (tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x24x8xf32>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %one = stablehlo.constant dense<1.0> : tensor<f32>
  %scale = stablehlo.constant dense<0.25> : tensor<2x8x8xf32>
  %zeros = stablehlo.constant dense<0.0> : tensor<2x8x8xf32>
  %lows = stablehlo.constant dense<0xff800000> : tensor<2x8x8xf32>
  %g = stablehlo.broadcast_in_dim %one, dims = [] : (tensor<f32>) -> tensor<2x8x24xf32>
  %p = stablehlo.dot_general %q, %k, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x8x16xf32>, tensor<2x8x16xf32>) -> tensor<2x8x8xf32>
  %ps = stablehlo.multiply %p, %scale : tensor<2x8x8xf32>
  %i = stablehlo.iota dim = 0 : tensor<8x8xi32>
  %j = stablehlo.iota dim = 1 : tensor<8x8xi32>
  %c = stablehlo.compare GE, %i, %j, SIGNED : (tensor<8x8xi32>, tensor<8x8xi32>) -> tensor<8x8xi1>
  %mask = stablehlo.broadcast_in_dim %c, dims = [1, 2] : (tensor<8x8xi1>) -> tensor<2x8x8xi1>
  %s = stablehlo.select %mask, %ps, %lows : tensor<2x8x8xi1>, tensor<2x8x8xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [2] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
  %d = stablehlo.subtract %s, %mm : tensor<2x8x8xf32>
  %e = stablehlo.exponential %d : tensor<2x8x8xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
  %w = stablehlo.divide %e, %zz : tensor<2x8x8xf32>
  %dv = stablehlo.dot_general %g, %w, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x8x24xf32>, tensor<2x8x8xf32>) -> tensor<2x24x8xf32>
  %dw = stablehlo.dot_general %g, %v, batching_dims = [0] x [0], contracting_dims = [2] x [2] : (tensor<2x8x24xf32>, tensor<2x8x24xf32>) -> tensor<2x8x8xf32>
  %square = stablehlo.multiply %z, %z : tensor<2x8xf32>
  %ones = stablehlo.broadcast_in_dim %one, dims = [] : (tensor<f32>) -> tensor<2x8xf32>
  %inverse = stablehlo.divide %ones, %square : tensor<2x8xf32>
  %spread = stablehlo.broadcast_in_dim %inverse, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
  %a = stablehlo.multiply %dw, %spread : tensor<2x8x8xf32>
  %b = stablehlo.multiply %a, %e : tensor<2x8x8xf32>
  %t = stablehlo.reduce(%b init: %zero) applies stablehlo.add across dimensions = [2] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %n = stablehlo.negate %t : tensor<2x8xf32>
  %tt = stablehlo.broadcast_in_dim %n, dims = [0, 1] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
  %dz = stablehlo.divide %dw, %zz : tensor<2x8x8xf32>
  %sum = stablehlo.add %dz, %tt : tensor<2x8x8xf32>
  %ds = stablehlo.multiply %sum, %e : tensor<2x8x8xf32>
  %du = stablehlo.select %mask, %ds, %zeros : tensor<2x8x8xi1>, tensor<2x8x8xf32>
  %dp = stablehlo.multiply %du, %scale : tensor<2x8x8xf32>
  %dq = stablehlo.dot_general %dp, %k, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<2x8x8xf32>, tensor<2x8x16xf32>) -> tensor<2x8x16xf32>
  %dk = stablehlo.dot_general %dp, %q, batching_dims = [0] x [0], contracting_dims = [1] x [1] : (tensor<2x8x8xf32>, tensor<2x8x16xf32>) -> tensor<2x8x16xf32>
  func.return %dq, %dk, %dv : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x24x8xf32>
}

// -----

// By the weights; the forward pass is attention, since nothing else reads its weights any more.

// CHECK-LABEL: func.func @weights
// CHECK-SAME: (%[[Q:.*]]: tensor<8x16xf32>, %[[K:.*]]: tensor<12x16xf32>, %[[V:.*]]: tensor<12x16xf32>, %[[G:.*]]: tensor<8x16xf32>)
// CHECK: %[[O:.*]] = stablehlo.composite "stepwell.attention" %[[Q]], %[[K]], %[[V]] {decomposition = @attention}
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = stablehlo.composite "stepwell.attention_gradient" %[[Q]], %[[K]], %[[V]], %[[G]]
// CHECK-NEXT: func.return %[[DQ]], %[[DK]], %[[DV]], %[[O]]
func.func @weights(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// A softmax of narrow floats rounds what the tiles would not.

// CHECK-LABEL: func.func @in_bf16
// CHECK-NOT: stepwell.attention
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: the softmax is computed in bf16"]}
func.func @in_bf16(%q: tensor<8x16xbf16>, %k: tensor<12x16xbf16>, %v: tensor<12x16xbf16>, %g: tensor<8x16xbf16>) -> (tensor<8x16xbf16>, tensor<12x16xbf16>, tensor<12x16xbf16>, tensor<8x16xbf16>) {
  %low = stablehlo.constant dense<0xff80> : tensor<bf16>
  %zero = stablehlo.constant dense<0.0> : tensor<bf16>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xbf16>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xbf16>, tensor<bf16>) -> tensor<8xbf16>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xbf16>) -> tensor<8x12xbf16>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xbf16>
  %e = stablehlo.exponential %d : tensor<8x12xbf16>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xbf16>, tensor<bf16>) -> tensor<8xbf16>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xbf16>) -> tensor<8x12xbf16>
  %w = stablehlo.divide %e, %zz : tensor<8x12xbf16>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xbf16>, tensor<12x16xbf16>) -> tensor<8x16xbf16>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xbf16>, tensor<8x16xbf16>) -> tensor<12x16xbf16>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xbf16>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xbf16>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xbf16>, tensor<bf16>) -> tensor<8xbf16>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xbf16>) -> tensor<8x12xbf16>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xbf16>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xbf16>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xbf16>, tensor<12x16xbf16>) -> tensor<8x16xbf16>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xbf16>, tensor<8x16xbf16>) -> tensor<12x16xbf16>
  func.return %dq, %dk, %dv, %o : tensor<8x16xbf16>, tensor<12x16xbf16>, tensor<12x16xbf16>, tensor<8x16xbf16>
}

// -----

// The row takes nothing back: no gradient of a softmax.

// CHECK-LABEL: func.func @no_row
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: what its keys are multiplied with is not what a softmax passes back to its scores"]}
func.func @no_row(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// Added instead of subtracted.

// CHECK-LABEL: func.func @other_sign
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: what its keys are multiplied with is not what a softmax passes back to its scores"]}
func.func @other_sign(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.add %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// Queries have no gradient.

// CHECK-LABEL: func.func @no_queries
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: what its keys are multiplied with is not what a softmax passes back to its scores"]}
func.func @no_queries(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dq = stablehlo.add %q, %q : tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// The values' gradient is made of another gradient than what is passed back to the weights.

// CHECK-LABEL: func.func @two_gradients
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: the gradients of values and of weights are made of different gradients"]}
func.func @two_gradients(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %g2 = stablehlo.negate %g : tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g2, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// Operands narrower than the softmax, and weights that are rounded before they are multiplied.

// CHECK-LABEL: func.func @narrow
// CHECK: %[[O:.*]] = stablehlo.composite "stepwell.attention" %q, %k, %v {decomposition = @attention}
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = stablehlo.composite "stepwell.attention_gradient" %q, %k, %v, %g {decomposition = @attention_gradient}
// CHECK-SAME: (tensor<8x16xbf16>, tensor<12x16xbf16>, tensor<12x16xbf16>, tensor<8x16xbf16>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xbf16>)
func.func @narrow(%q: tensor<8x16xbf16>, %k: tensor<12x16xbf16>, %v: tensor<12x16xbf16>, %g: tensor<8x16xbf16>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xbf16>, tensor<8x16xbf16>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %wn = stablehlo.convert %w : (tensor<8x12xf32>) -> tensor<8x12xbf16>
  %o = stablehlo.dot_general %wn, %v, contracting_dims = [1] x [0] : (tensor<8x12xbf16>, tensor<12x16xbf16>) -> tensor<8x16xbf16>
  %dv = stablehlo.dot_general %wn, %g, contracting_dims = [0] x [0] : (tensor<8x12xbf16>, tensor<8x16xbf16>) -> tensor<12x16xbf16>
  %dwn = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xbf16>
  %dw = stablehlo.convert %dwn : (tensor<8x12xbf16>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %kw = stablehlo.convert %k : (tensor<12x16xbf16>) -> tensor<12x16xf32>
  %qw = stablehlo.convert %q : (tensor<8x16xbf16>) -> tensor<8x16xf32>
  %dq = stablehlo.dot_general %ds, %kw, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %qw, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xbf16>, tensor<8x16xbf16>
}

// -----

// What the softmax passes back is made of numbers that are rounded after an op.

// CHECK-LABEL: func.func @rounded
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: what its keys are multiplied with is not what a softmax passes back to its scores"]}
func.func @rounded(%q: tensor<8x16xbf16>, %k: tensor<12x16xbf16>, %v: tensor<12x16xbf16>, %g: tensor<8x16xbf16>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xbf16>, tensor<8x16xbf16>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %s = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %wn = stablehlo.convert %w : (tensor<8x12xf32>) -> tensor<8x12xbf16>
  %o = stablehlo.dot_general %wn, %v, contracting_dims = [1] x [0] : (tensor<8x12xbf16>, tensor<12x16xbf16>) -> tensor<8x16xbf16>
  %dv = stablehlo.dot_general %wn, %g, contracting_dims = [0] x [0] : (tensor<8x12xbf16>, tensor<8x16xbf16>) -> tensor<12x16xbf16>
  %dwn = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xbf16>, tensor<12x16xbf16>) -> tensor<8x12xbf16>
  %wg = stablehlo.multiply %wn, %dwn : tensor<8x12xbf16>
  %wgw = stablehlo.convert %wg : (tensor<8x12xbf16>) -> tensor<8x12xf32>
  %t = stablehlo.reduce(%wgw init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %dw = stablehlo.convert %dwn : (tensor<8x12xbf16>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %kw = stablehlo.convert %k : (tensor<12x16xbf16>) -> tensor<12x16xf32>
  %qw = stablehlo.convert %q : (tensor<8x16xbf16>) -> tensor<8x16xf32>
  %dq = stablehlo.dot_general %ds, %kw, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %qw, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xbf16>, tensor<8x16xbf16>
}

// -----

// Products wider than the softmax.

// CHECK-LABEL: func.func @wide
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: an operand of f64 does not fit into the softmax's f32"]}
func.func @wide(%q: tensor<8x16xf64>, %k: tensor<12x16xf64>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf64>, tensor<12x16xf64>, tensor<12x16xf32>, tensor<8x16xf32>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %sw = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf64>, tensor<12x16xf64>) -> tensor<8x12xf64>
  %s = stablehlo.convert %sw : (tensor<8x12xf64>) -> tensor<8x12xf32>
  %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
  %e = stablehlo.exponential %d : tensor<8x12xf32>
  %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dsw = stablehlo.convert %ds : (tensor<8x12xf32>) -> tensor<8x12xf64>
  %dq = stablehlo.dot_general %dsw, %k, contracting_dims = [1] x [0] : (tensor<8x12xf64>, tensor<12x16xf64>) -> tensor<8x16xf64>
  %dk = stablehlo.dot_general %dsw, %q, contracting_dims = [0] x [0] : (tensor<8x12xf64>, tensor<8x16xf64>) -> tensor<12x16xf64>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf64>, tensor<12x16xf64>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// The sum is along the queries.

// CHECK-LABEL: func.func @along_queries
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: what its keys are multiplied with is not what a softmax passes back to its scores"]}
func.func @along_queries(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<8x12xf32>, tensor<f32>) -> tensor<12xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [1] : (tensor<12xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// A gradient that another operand (here the one of the result, through nothing but a sum) is made of.

// CHECK-LABEL: func.func @read_before
// CHECK-NOT: stepwell.attention_gradient
// CHECK: stablehlo.dot_general {{.*}} {kernel.remarks = ["no gradient of attention: one of its results is read before an operand is made"]}
func.func @read_before(%q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>) {
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
  %o = stablehlo.dot_general %w, %v, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dv0 = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  %dv = stablehlo.negate %dv0 : tensor<12x16xf32>
  %v2 = stablehlo.add %v, %dv : tensor<12x16xf32>
  %dw = stablehlo.dot_general %g, %v2, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
  %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
  %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
  %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
  %df = stablehlo.subtract %dw, %tt : tensor<8x12xf32>
  %ds = stablehlo.multiply %w, %df : tensor<8x12xf32>
  %dq = stablehlo.dot_general %ds, %k, contracting_dims = [1] x [0] : (tensor<8x12xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
  %dk = stablehlo.dot_general %ds, %q, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
  func.return %dq, %dk, %dv, %o : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>, tensor<8x16xf32>
}

// -----

// As jax.nn.dot_product_attention is: what is passed back to the scores is turned before it is scaled. Constants are from outside
// of the branch.

// CHECK-LABEL: func.func @turned
// CHECK: "stablehlo.if"
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = stablehlo.composite "stepwell.attention_gradient" %q, %k, %v, %g {decomposition = @attention_gradient}
// CHECK-NEXT: stablehlo.return %[[DQ]], %[[DK]], %[[DV]]
func.func @turned(%c: tensor<i1>, %q: tensor<8x16xf32>, %k: tensor<12x16xf32>, %v: tensor<12x16xf32>, %g: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>) {
  %low = stablehlo.constant dense<0xff800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %half = stablehlo.constant dense<0.5> : tensor<8x12xf32>
  %turned = stablehlo.constant dense<0.5> : tensor<12x8xf32>
  %r:3 = "stablehlo.if"(%c) ({
    %p = stablehlo.dot_general %q, %k, contracting_dims = [1] x [1] : (tensor<8x16xf32>, tensor<12x16xf32>) -> tensor<8x12xf32>
    %s = stablehlo.multiply %p, %half : tensor<8x12xf32>
    %m = stablehlo.reduce(%s init: %low) applies stablehlo.maximum across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
    %mm = stablehlo.broadcast_in_dim %m, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
    %d = stablehlo.subtract %s, %mm : tensor<8x12xf32>
    %e = stablehlo.exponential %d : tensor<8x12xf32>
    %z = stablehlo.reduce(%e init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
    %zz = stablehlo.broadcast_in_dim %z, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
    %w = stablehlo.divide %e, %zz : tensor<8x12xf32>
    %dv = stablehlo.dot_general %w, %g, contracting_dims = [0] x [0] : (tensor<8x12xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
    %dwt = stablehlo.dot_general %v, %g, contracting_dims = [1] x [1] : (tensor<12x16xf32>, tensor<8x16xf32>) -> tensor<12x8xf32>
    %dw = stablehlo.transpose %dwt, dims = [1, 0] : (tensor<12x8xf32>) -> tensor<8x12xf32>
    %wg = stablehlo.multiply %w, %dw : tensor<8x12xf32>
    %t = stablehlo.reduce(%wg init: %zero) applies stablehlo.add across dimensions = [1] : (tensor<8x12xf32>, tensor<f32>) -> tensor<8xf32>
    %tt = stablehlo.broadcast_in_dim %t, dims = [0] : (tensor<8xf32>) -> tensor<8x12xf32>
    %wt = stablehlo.multiply %w, %tt : tensor<8x12xf32>
    %ds = stablehlo.subtract %wg, %wt : tensor<8x12xf32>
    %dst = stablehlo.transpose %ds, dims = [1, 0] : (tensor<8x12xf32>) -> tensor<12x8xf32>
    %dp = stablehlo.multiply %dst, %turned : tensor<12x8xf32>
    %dq = stablehlo.dot_general %dp, %k, contracting_dims = [0] x [0] : (tensor<12x8xf32>, tensor<12x16xf32>) -> tensor<8x16xf32>
    %dk = stablehlo.dot_general %dp, %q, contracting_dims = [1] x [0] : (tensor<12x8xf32>, tensor<8x16xf32>) -> tensor<12x16xf32>
    stablehlo.return %dq, %dk, %dv : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
  }, {
    stablehlo.return %q, %k, %v : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
  }) : (tensor<i1>) -> (tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>)
  func.return %r#0, %r#1, %r#2 : tensor<8x16xf32>, tensor<12x16xf32>, tensor<12x16xf32>
}
