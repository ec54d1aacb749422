// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// Every op in the form JAX prints; the printed form is the same.

// CHECK-LABEL: func.func @unary(
func.func @unary(%x: tensor<4xf32>) {
  // CHECK: %abs = stablehlo.abs %x : tensor<4xf32>
  %abs = stablehlo.abs %x : tensor<4xf32>
  // CHECK: %cbrt = stablehlo.cbrt %x : tensor<4xf32>
  %cbrt = stablehlo.cbrt %x : tensor<4xf32>
  // CHECK: %ceil = stablehlo.ceil %x : tensor<4xf32>
  %ceil = stablehlo.ceil %x : tensor<4xf32>
  // CHECK: %cosine = stablehlo.cosine %x : tensor<4xf32>
  %cosine = stablehlo.cosine %x : tensor<4xf32>
  // CHECK: %exponential = stablehlo.exponential %x : tensor<4xf32>
  %exponential = stablehlo.exponential %x : tensor<4xf32>
  // CHECK: %exponential_minus_one = stablehlo.exponential_minus_one %x : tensor<4xf32>
  %exponential_minus_one = stablehlo.exponential_minus_one %x : tensor<4xf32>
  // CHECK: %floor = stablehlo.floor %x : tensor<4xf32>
  %floor = stablehlo.floor %x : tensor<4xf32>
  // CHECK: %log = stablehlo.log %x : tensor<4xf32>
  %log = stablehlo.log %x : tensor<4xf32>
  // CHECK: %log_plus_one = stablehlo.log_plus_one %x : tensor<4xf32>
  %log_plus_one = stablehlo.log_plus_one %x : tensor<4xf32>
  // CHECK: %logistic = stablehlo.logistic %x : tensor<4xf32>
  %logistic = stablehlo.logistic %x : tensor<4xf32>
  // CHECK: %negate = stablehlo.negate %x : tensor<4xf32>
  %negate = stablehlo.negate %x : tensor<4xf32>
  // CHECK: %round_nearest_afz = stablehlo.round_nearest_afz %x : tensor<4xf32>
  %round_nearest_afz = stablehlo.round_nearest_afz %x : tensor<4xf32>
  // CHECK: %round_nearest_even = stablehlo.round_nearest_even %x : tensor<4xf32>
  %round_nearest_even = stablehlo.round_nearest_even %x : tensor<4xf32>
  // CHECK: %rsqrt = stablehlo.rsqrt %x : tensor<4xf32>
  %rsqrt = stablehlo.rsqrt %x : tensor<4xf32>
  // CHECK: %sign = stablehlo.sign %x : tensor<4xf32>
  %sign = stablehlo.sign %x : tensor<4xf32>
  // CHECK: %sine = stablehlo.sine %x : tensor<4xf32>
  %sine = stablehlo.sine %x : tensor<4xf32>
  // CHECK: %sqrt = stablehlo.sqrt %x : tensor<4xf32>
  %sqrt = stablehlo.sqrt %x : tensor<4xf32>
  // CHECK: %tan = stablehlo.tan %x : tensor<4xf32>
  %tan = stablehlo.tan %x : tensor<4xf32>
  // CHECK: %tanh = stablehlo.tanh %x : tensor<4xf32>
  %tanh = stablehlo.tanh %x : tensor<4xf32>
  // CHECK: %accurate = stablehlo.tanh %x {result_accuracy = #stablehlo.result_accuracy<ulps = 2, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>} : tensor<4xf32>
  %accurate = stablehlo.tanh %x {result_accuracy = #stablehlo.result_accuracy<ulps = 2, mode = #stablehlo.result_accuracy_mode<TOLERANCE>>} : tensor<4xf32>
  // CHECK: %finite = stablehlo.is_finite %x : (tensor<4xf32>) -> tensor<4xi1>
  %finite = stablehlo.is_finite %x : (tensor<4xf32>) -> tensor<4xi1>
  // CHECK: %half = stablehlo.reduce_precision %x, format = e5m10 : tensor<4xf32>
  %half = stablehlo.reduce_precision %x, format = e5m10 : tensor<4xf32>
  func.return
}

// CHECK-LABEL: func.func @unary_of_other_types(
func.func @unary_of_other_types(%i: tensor<ui32>, %b: tensor<2xi1>, %c: tensor<2xcomplex<f32>>) {
  // CHECK: %popcnt = stablehlo.popcnt %i : tensor<ui32>
  %popcnt = stablehlo.popcnt %i : tensor<ui32>
  // CHECK: %clz = stablehlo.count_leading_zeros %i : tensor<ui32>
  %clz = stablehlo.count_leading_zeros %i : tensor<ui32>
  // CHECK: %not = stablehlo.not %b : tensor<2xi1>
  %not = stablehlo.not %b : tensor<2xi1>
  // CHECK: %abs = stablehlo.abs %c : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %abs = stablehlo.abs %c : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  // CHECK: %real = stablehlo.real %c : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %real = stablehlo.real %c : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  // CHECK: %imag = stablehlo.imag %c : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %imag = stablehlo.imag %c : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  // CHECK: %z = stablehlo.complex %real, %imag : tensor<2xcomplex<f32>>
  %z = stablehlo.complex %real, %imag : tensor<2xcomplex<f32>>
  // CHECK: %to = stablehlo.convert %b : (tensor<2xi1>) -> tensor<2xbf16>
  %to = stablehlo.convert %b : (tensor<2xi1>) -> tensor<2xbf16>
  // CHECK: %same = stablehlo.convert %b : tensor<2xi1>
  %same = stablehlo.convert %b : tensor<2xi1>
  func.return
}

// CHECK-LABEL: func.func @binary(
func.func @binary(%x: tensor<4xf32>, %i: tensor<2x3xi32>) {
  // CHECK: %add = stablehlo.add %x, %x : tensor<4xf32>
  %add = stablehlo.add %x, %x : tensor<4xf32>
  // CHECK: %atan2 = stablehlo.atan2 %x, %x : tensor<4xf32>
  %atan2 = stablehlo.atan2 %x, %x : tensor<4xf32>
  // CHECK: %divide = stablehlo.divide %x, %x : tensor<4xf32>
  %divide = stablehlo.divide %x, %x : tensor<4xf32>
  // CHECK: %maximum = stablehlo.maximum %x, %x : tensor<4xf32>
  %maximum = stablehlo.maximum %x, %x : tensor<4xf32>
  // CHECK: %minimum = stablehlo.minimum %x, %x : tensor<4xf32>
  %minimum = stablehlo.minimum %x, %x : tensor<4xf32>
  // CHECK: %multiply = stablehlo.multiply %x, %x : tensor<4xf32>
  %multiply = stablehlo.multiply %x, %x : tensor<4xf32>
  // CHECK: %power = stablehlo.power %x, %x : tensor<4xf32>
  %power = stablehlo.power %x, %x : tensor<4xf32>
  // CHECK: %remainder = stablehlo.remainder %x, %x : tensor<4xf32>
  %remainder = stablehlo.remainder %x, %x : tensor<4xf32>
  // CHECK: %subtract = stablehlo.subtract %x, %x : tensor<4xf32>
  %subtract = stablehlo.subtract %x, %x : tensor<4xf32>
  // CHECK: %and = stablehlo.and %i, %i : tensor<2x3xi32>
  %and = stablehlo.and %i, %i : tensor<2x3xi32>
  // CHECK: %or = stablehlo.or %i, %i : tensor<2x3xi32>
  %or = stablehlo.or %i, %i : tensor<2x3xi32>
  // CHECK: %xor = stablehlo.xor %i, %i : tensor<2x3xi32>
  %xor = stablehlo.xor %i, %i : tensor<2x3xi32>
  // CHECK: %shift_left = stablehlo.shift_left %i, %i : tensor<2x3xi32>
  %shift_left = stablehlo.shift_left %i, %i : tensor<2x3xi32>
  // CHECK: %shift_right_arithmetic = stablehlo.shift_right_arithmetic %i, %i : tensor<2x3xi32>
  %shift_right_arithmetic = stablehlo.shift_right_arithmetic %i, %i : tensor<2x3xi32>
  // CHECK: %shift_right_logical = stablehlo.shift_right_logical %i, %i : tensor<2x3xi32>
  %shift_right_logical = stablehlo.shift_right_logical %i, %i : tensor<2x3xi32>
  func.return
}

// CHECK-LABEL: func.func @selection(
func.func @selection(%x: tensor<4xf32>, %s: tensor<f32>, %p: tensor<i1>) {
  // CHECK: %lt = stablehlo.compare LT, %x, %x, TOTALORDER : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  %lt = stablehlo.compare LT, %x, %x, TOTALORDER : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  // CHECK: %eq = stablehlo.compare EQ, %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  %eq = stablehlo.compare EQ, %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  // CHECK: %a = stablehlo.select %lt, %x, %x : tensor<4xi1>, tensor<4xf32>
  %a = stablehlo.select %lt, %x, %x : tensor<4xi1>, tensor<4xf32>
  // CHECK: %b = stablehlo.select %p, %x, %x : tensor<i1>, tensor<4xf32>
  %b = stablehlo.select %p, %x, %x : tensor<i1>, tensor<4xf32>
  // CHECK: %c = stablehlo.clamp %s, %x, %s : (tensor<f32>, tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %c = stablehlo.clamp %s, %x, %s : (tensor<f32>, tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: %d = stablehlo.clamp %x, %x, %x : tensor<4xf32>
  %d = stablehlo.clamp %x, %x, %x : tensor<4xf32>
  func.return
}

// CHECK-LABEL: func.func @creation(
func.func @creation() {
  // CHECK: %a = stablehlo.constant dense<[1, -2]> : tensor<2xi32>
  %a = stablehlo.constant dense<[1, -2]> : tensor<2xi32>
  // CHECK: %b = stablehlo.constant dense<0xff800000> : tensor<f32>
  %b = stablehlo.constant dense<0xff800000> : tensor<f32>
  // CHECK: %c = stablehlo.constant {note = 1 : i32} dense<true> : tensor<4xi1>
  %c = stablehlo.constant {note = 1 : i32} dense<true> : tensor<4xi1>
  // CHECK: %e = stablehlo.constant dense<(0x7f800000,-1.000000e+00)> : tensor<complex<f32>>
  %e = stablehlo.constant dense<(0x7f800000,-1.000000e+00)> : tensor<complex<f32>>
  // CHECK: %d = stablehlo.iota dim = 1 : tensor<4x5xui32>
  %d = stablehlo.iota dim = 1 : tensor<4x5xui32>
  func.return
}

// CHECK-LABEL: func.func @movement(
func.func @movement(%x: tensor<4x9xf32>, %s: tensor<f32>, %i: tensor<i32>) {
  // CHECK: %a = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<f32>) -> tensor<4x9xf32>
  %a = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<f32>) -> tensor<4x9xf32>
  // CHECK: %b = stablehlo.broadcast %s, sizes = [2] : (tensor<f32>) -> tensor<2xf32>
  %b = stablehlo.broadcast %s, sizes = [2] : (tensor<f32>) -> tensor<2xf32>
  // CHECK: %c = stablehlo.reshape %x : (tensor<4x9xf32>) -> tensor<36xf32>
  %c = stablehlo.reshape %x : (tensor<4x9xf32>) -> tensor<36xf32>
  // CHECK: %d = stablehlo.transpose %x, dims = [1, 0] : (tensor<4x9xf32>) -> tensor<9x4xf32>
  %d = stablehlo.transpose %x, dims = [1, 0] : (tensor<4x9xf32>) -> tensor<9x4xf32>
  // CHECK: %e = stablehlo.reverse %x, dims = [1] : tensor<4x9xf32>
  %e = stablehlo.reverse %x, dims = [1] : tensor<4x9xf32>
  // CHECK: %f = stablehlo.slice %x [0:2, 1:9:3] : (tensor<4x9xf32>) -> tensor<2x3xf32>
  %f = stablehlo.slice %x [0:2, 1:9:3] : (tensor<4x9xf32>) -> tensor<2x3xf32>
  // CHECK: %g = stablehlo.pad %x, %s, low = [1, -2], high = [0, 3], interior = [0, 1] : (tensor<4x9xf32>, tensor<f32>) -> tensor<5x18xf32>
  %g = stablehlo.pad %x, %s, low = [1, -2], high = [0, 3], interior = [0, 1] : (tensor<4x9xf32>, tensor<f32>) -> tensor<5x18xf32>
  // CHECK: %h = stablehlo.concatenate %x, %x, dim = 1 : (tensor<4x9xf32>, tensor<4x9xf32>) -> tensor<4x18xf32>
  %h = stablehlo.concatenate %x, %x, dim = 1 : (tensor<4x9xf32>, tensor<4x9xf32>) -> tensor<4x18xf32>
  // CHECK: %j = stablehlo.dynamic_slice %x, %i, %i, sizes = [1, 9] : (tensor<4x9xf32>, tensor<i32>, tensor<i32>) -> tensor<1x9xf32>
  %j = stablehlo.dynamic_slice %x, %i, %i, sizes = [1, 9] : (tensor<4x9xf32>, tensor<i32>, tensor<i32>) -> tensor<1x9xf32>
  // CHECK: %k = stablehlo.dynamic_update_slice %x, %j, %i, %i : (tensor<4x9xf32>, tensor<1x9xf32>, tensor<i32>, tensor<i32>) -> tensor<4x9xf32>
  %k = stablehlo.dynamic_update_slice %x, %j, %i, %i : (tensor<4x9xf32>, tensor<1x9xf32>, tensor<i32>, tensor<i32>) -> tensor<4x9xf32>
  // CHECK: %l = stablehlo.bitcast_convert %x : (tensor<4x9xf32>) -> tensor<4x9x2xi16>
  %l = stablehlo.bitcast_convert %x : (tensor<4x9xf32>) -> tensor<4x9x2xi16>
  func.return
}

// CHECK-LABEL: func.func @contraction(
func.func @contraction(%a: tensor<4x2x3xf32>, %b: tensor<4x3x5xf32>, %v: tensor<3xf32>, %x: tensor<2x2x9xf32>, %w: tensor<4x2x3xf32>, %n: tensor<3xbf16>) {
  // CHECK: %c = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, HIGHEST] : (tensor<4x2x3xf32>, tensor<4x3x5xf32>) -> tensor<4x2x5xf32>
  %c = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, HIGHEST] : (tensor<4x2x3xf32>, tensor<4x3x5xf32>) -> tensor<4x2x5xf32>
  // CHECK: %d = stablehlo.dot_general %a, %v, contracting_dims = [2] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 3, allow_imprecise_accumulation = false> : (tensor<4x2x3xf32>, tensor<3xf32>) -> tensor<4x2xf32>
  %d = stablehlo.dot_general %a, %v, contracting_dims = [2] x [0], algorithm = <lhs_precision_type = tf32, rhs_precision_type = tf32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 3, allow_imprecise_accumulation = false> : (tensor<4x2x3xf32>, tensor<3xf32>) -> tensor<4x2xf32>
  // CHECK: %g = stablehlo.dot_general %v, %n, contracting_dims = [0] x [0], algorithm = <lhs_precision_type = bf16, rhs_precision_type = bf16, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<3xf32>, tensor<3xbf16>) -> tensor<f32>
  %g = stablehlo.dot_general %v, %n, contracting_dims = [0] x [0], algorithm = <lhs_precision_type = bf16, rhs_precision_type = bf16, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<3xf32>, tensor<3xbf16>) -> tensor<f32>
  // CHECK: %e = stablehlo.dot %v, %v, precision = [HIGH, HIGH] : (tensor<3xf32>, tensor<3xf32>) -> tensor<f32>
  %e = stablehlo.dot %v, %v, precision = [HIGH, HIGH] : (tensor<3xf32>, tensor<3xf32>) -> tensor<f32>
  // CHECK: %f = stablehlo.convolution(%x, %w) dim_numbers = [b, f, 0]x[o, i, 0]->[b, 0, f], window = {stride = [2], pad = {{\[\[}}1, 0]], lhs_dilate = [1], rhs_dilate = [1], reverse = [true]} {feature_group_count = 1 : i64, batch_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x4xf32>
  %f = stablehlo.convolution(%x, %w) dim_numbers = [b, f, 0]x[o, i, 0]->[b, 0, f], window = {stride = [2], pad = [[1, 0]], lhs_dilate = [1], rhs_dilate = [1], reverse = [true]} {feature_group_count = 1 : i64, batch_group_count = 1 : i64} : (tensor<2x2x9xf32>, tensor<4x2x3xf32>) -> tensor<2x4x4xf32>
  func.return
}

// CHECK-LABEL: func.func @reduction(
func.func @reduction(%x: tensor<4x9xf32>, %i: tensor<4x9xi32>, %z: tensor<f32>, %c: tensor<i32>) {
  // CHECK: %a = stablehlo.reduce(%x init: %z) applies stablehlo.maximum across dimensions = [1, 0] : (tensor<4x9xf32>, tensor<f32>) -> tensor<f32>
  %a = stablehlo.reduce(%x init: %z) applies stablehlo.maximum across dimensions = [1, 0] : (tensor<4x9xf32>, tensor<f32>) -> tensor<f32>
  // CHECK: %b, %d = stablehlo.reduce(%x init: %z), (%i init: %c) across dimensions = [1] : (tensor<4x9xf32>, tensor<4x9xi32>, tensor<f32>, tensor<i32>) -> (tensor<4xf32>, tensor<4xi32>)
  // CHECK: reducer(%p: tensor<f32>, %q: tensor<f32>) (%r: tensor<i32>, %s: tensor<i32>)  {
  // CHECK: %m = stablehlo.minimum %p, %q : tensor<f32>
  // CHECK: stablehlo.return %m, %r : tensor<f32>, tensor<i32>
  %b, %d = stablehlo.reduce(%x init: %z), (%i init: %c) across dimensions = [1] : (tensor<4x9xf32>, tensor<4x9xi32>, tensor<f32>, tensor<i32>) -> (tensor<4xf32>, tensor<4xi32>)
   reducer(%p: tensor<f32>, %q: tensor<f32>) (%r: tensor<i32>, %s: tensor<i32>)  {
    %m = stablehlo.minimum %p, %q : tensor<f32>
    stablehlo.return %m, %r : tensor<f32>, tensor<i32>
  }
  func.return
}

// CHECK-LABEL: func.func @control(
func.func @control(%p: tensor<i1>, %i: tensor<i32>, %x: tensor<4xf32>) {
  // CHECK: %a = "stablehlo.if"(%p) ({
  // CHECK: stablehlo.return %x : tensor<4xf32>
  // CHECK: }, {
  // CHECK: stablehlo.return %x : tensor<4xf32>
  // CHECK: }) : (tensor<i1>) -> tensor<4xf32>
  %a = "stablehlo.if"(%p) ({
    stablehlo.return %x : tensor<4xf32>
  }, {
    stablehlo.return %x : tensor<4xf32>
  }) : (tensor<i1>) -> tensor<4xf32>
  // CHECK: %b = "stablehlo.case"(%i) ({
  // CHECK: stablehlo.return %x : tensor<4xf32>
  // CHECK: }) : (tensor<i32>) -> tensor<4xf32>
  %b = "stablehlo.case"(%i) ({
    stablehlo.return %x : tensor<4xf32>
  }) : (tensor<i32>) -> tensor<4xf32>
  // CHECK: %c, %d = stablehlo.while(%n = %i, %v = %x) : tensor<i32>, tensor<4xf32> attributes {note = "n"}
  // CHECK: cond {
  // CHECK: %e = stablehlo.constant dense<3> : tensor<i32>
  // CHECK: %f = stablehlo.compare LT, %n, %e, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
  // CHECK: stablehlo.return %f : tensor<i1>
  // CHECK: } do {
  // CHECK: %g = stablehlo.add %n, %n : tensor<i32>
  // CHECK: stablehlo.return %g, %v : tensor<i32>, tensor<4xf32>
  %c, %d = stablehlo.while(%n = %i, %v = %x) : tensor<i32>, tensor<4xf32> attributes {note = "n"}
  cond {
    %e = stablehlo.constant dense<3> : tensor<i32>
    %f = stablehlo.compare LT, %n, %e, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %f : tensor<i1>
  } do {
    %g = stablehlo.add %n, %n : tensor<i32>
    stablehlo.return %g, %v : tensor<i32>, tensor<4xf32>
  }
  // CHECK: %h, %j = stablehlo.optimization_barrier %x, %p : tensor<4xf32>, tensor<i1>
  %h, %j = stablehlo.optimization_barrier %x, %p : tensor<4xf32>, tensor<i1>
  // CHECK: %k = stablehlo.tuple %x, %p : tuple<tensor<4xf32>, tensor<i1>>
  %k = stablehlo.tuple %x, %p : tuple<tensor<4xf32>, tensor<i1>>
  // CHECK: %l = stablehlo.get_tuple_element %k[1] : (tuple<tensor<4xf32>, tensor<i1>>) -> tensor<i1>
  %l = stablehlo.get_tuple_element %k[1] : (tuple<tensor<4xf32>, tensor<i1>>) -> tensor<i1>
  // CHECK: %o = stablehlo.custom_call @target(%x) {api_version = 2 : i32} : (tensor<4xf32>) -> tensor<4xf32>
  %o = stablehlo.custom_call @target(%x) {api_version = 2 : i32} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: %q = stablehlo.composite "my.op" %x {decomposition = @impl} : (tensor<4xf32>) -> tensor<4xf32>
  %q = stablehlo.composite "my.op" %x {decomposition = @impl} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: %t = stablehlo.create_token : !stablehlo.token
  %t = stablehlo.create_token : !stablehlo.token
  // CHECK: %u = stablehlo.after_all %t, %t : !stablehlo.token
  %u = stablehlo.after_all %t, %t : !stablehlo.token
  func.return
}

func.func private @impl(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}

// CHECK-LABEL: func.func @others(
func.func @others(%s: tensor<2xui64>, %z: tensor<f32>, %n: tensor<1xi64>, %x: tensor<2x9xf32>, %m: tensor<3x3xf32>) {
  // CHECK: %a, %b = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<4xui64>)
  %a, %b = stablehlo.rng_bit_generator %s, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<4xui64>)
  // CHECK: %c = stablehlo.rng %z, %z, %n, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
  %c = stablehlo.rng %z, %z, %n, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
  // CHECK: %d = stablehlo.fft %x, type = RFFT, length = [9] : (tensor<2x9xf32>) -> tensor<2x5xcomplex<f32>>
  %d = stablehlo.fft %x, type = RFFT, length = [9] : (tensor<2x9xf32>) -> tensor<2x5xcomplex<f32>>
  // CHECK: %e = stablehlo.cholesky %m, lower = true : tensor<3x3xf32>
  %e = stablehlo.cholesky %m, lower = true : tensor<3x3xf32>
  func.return
}

// What JAX prints generically stays generic, with its attributes.

// CHECK-LABEL: func.func @generic(
func.func @generic(%x: tensor<9x4xf32>, %i: tensor<3x1xi32>, %u: tensor<3x4xf32>, %z: tensor<f32>) {
  // CHECK: %g = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}>
  %g = "stablehlo.gather"(%x, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 4>}> : (tensor<9x4xf32>, tensor<3x1xi32>) -> tensor<3x4xf32>
  // CHECK: %s = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
  // CHECK-NEXT: ^bb0(%a: tensor<f32>, %b: tensor<f32>):
  %s = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    stablehlo.return %b : tensor<f32>
  }) : (tensor<9x4xf32>, tensor<3x1xi32>, tensor<3x4xf32>) -> tensor<9x4xf32>
  // CHECK: %w = "stablehlo.reduce_window"(%x, %z) <{padding = dense<0> : tensor<2x2xi64>, window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>}> ({
  %w = "stablehlo.reduce_window"(%x, %z) <{padding = dense<0> : tensor<2x2xi64>, window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>}> ({
  ^bb0(%c: tensor<f32>, %d: tensor<f32>):
    %e = stablehlo.add %c, %d : tensor<f32>
    stablehlo.return %e : tensor<f32>
  }) : (tensor<9x4xf32>, tensor<f32>) -> tensor<9x2xf32>
  // CHECK: %f = "stablehlo.sort"(%x) <{dimension = 0 : i64, is_stable = true}> ({
  %f = "stablehlo.sort"(%x) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%h: tensor<f32>, %j: tensor<f32>):
    %k = stablehlo.compare LT, %h, %j : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %k : tensor<i1>
  }) : (tensor<9x4xf32>) -> tensor<9x4xf32>
  // CHECK: %m = "stablehlo.select_and_scatter"(%x, %w, %z) <{window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>}> ({
  %m = "stablehlo.select_and_scatter"(%x, %w, %z) <{window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>}> ({
  ^bb0(%n: tensor<f32>, %o: tensor<f32>):
    %p = stablehlo.compare GE, %n, %o : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%q: tensor<f32>, %r: tensor<f32>):
    %t = stablehlo.add %q, %r : tensor<f32>
    stablehlo.return %t : tensor<f32>
  }) : (tensor<9x4xf32>, tensor<9x2xf32>, tensor<f32>) -> tensor<9x4xf32>
  // CHECK: "stablehlo.map"(%x) <{dimensions = array<i64: 0, 1>}> ({
  %v = "stablehlo.map"(%x) <{dimensions = array<i64: 0, 1>}> ({
  ^bb0(%y: tensor<f32>):
    stablehlo.return %y : tensor<f32>
  }) : (tensor<9x4xf32>) -> tensor<9x4xf32>
  func.return
}

// The generic form of an op with a short form, and attributes where properties belong.

// CHECK-LABEL: func.func @short(
func.func @short(%x: tensor<4x9xf32>, %z: tensor<f32>) {
  // CHECK: %a = stablehlo.iota dim = 0 : tensor<4xi32>
  %a = "stablehlo.iota"() {iota_dimension = 0 : i64} : () -> tensor<4xi32>
  // CHECK: %b = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [1] : (tensor<4x9xf32>, tensor<f32>) -> tensor<4xf32>
  %b = "stablehlo.reduce"(%x, %z) ({
  ^bb0(%0: tensor<f32>, %1: tensor<f32>):
    %2 = stablehlo.add %0, %1 : tensor<f32>
    stablehlo.return %2 : tensor<f32>
  }) {dimensions = array<i64: 1>} : (tensor<4x9xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK: %f = stablehlo.reduce(%x init: %z) across dimensions = [1]
  // CHECK-NEXT: reducer(%g: tensor<f32>, %h: tensor<f32>)
  %f = stablehlo.reduce(%x init: %z) across dimensions = [1] : (tensor<4x9xf32>, tensor<f32>) -> tensor<4xf32>
   reducer(%g: tensor<f32>, %h: tensor<f32>) {
    %i = stablehlo.add %h, %g : tensor<f32>
    stablehlo.return %i : tensor<f32>
  }
  func.return
}
