// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(refine-shapes{types="tensor<3x4xf32>"})' | filecheck %s

// Sizes are computed, dynamic ops become static, types are inferred.

// CHECK-LABEL: func.func @main(%x: tensor<3x4xf32>) -> tensor<12xf32> {
// CHECK-NEXT: %[[R:.*]] = stablehlo.reshape %x : (tensor<3x4xf32>) -> tensor<12xf32>
// CHECK-NEXT: %[[E:.*]] = stablehlo.exponential %[[R]] : tensor<12xf32>
// CHECK-NEXT: func.return %[[E]] : tensor<12xf32>
func.func @main(%x: tensor<?x4xf32>) -> tensor<?xf32> {
  %four = stablehlo.constant dense<4> : tensor<i32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %m = stablehlo.multiply %n, %four : tensor<i32>
  %s = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
  %r = stablehlo.dynamic_reshape %x, %s : (tensor<?x4xf32>, tensor<1xi32>) -> tensor<?xf32>
  %e = stablehlo.exponential %r : tensor<?xf32>
  return %e : tensor<?xf32>
}

// -----

// A function is copied per types and sizes it is called with; what the entry does not reach goes, static functions stay.

// CHECK-LABEL: func.func @main(
// CHECK: func.call @ones(%{{.*}}) : (tensor<i32>) -> tensor<3xf32>
// CHECK: func.call @ones_1(%{{.*}}) : (tensor<i32>) -> tensor<4xf32>
// CHECK: func.call @ones(%{{.*}}) : (tensor<i32>) -> tensor<3xf32>
// CHECK: func.call @twice(
// CHECK: func.func private @ones(%{{.*}}: tensor<i32>) -> tensor<3xf32> {
// CHECK: func.func private @ones_1(%{{.*}}: tensor<i32>) -> tensor<4xf32> {
// CHECK: func.func private @twice(
// CHECK-NOT: @unused
func.func @main(%x: tensor<?x?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<f32>) {
  %c = stablehlo.constant dense<1.0> : tensor<f32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x?xf32>) -> tensor<i32>
  %m = stablehlo.get_dimension_size %x, dim = 1 : (tensor<?x?xf32>) -> tensor<i32>
  %0 = func.call @ones(%n) : (tensor<i32>) -> tensor<?xf32>
  %1 = func.call @ones(%m) : (tensor<i32>) -> tensor<?xf32>
  %2 = func.call @ones(%n) : (tensor<i32>) -> tensor<?xf32>
  %3 = func.call @twice(%c) : (tensor<f32>) -> tensor<f32>
  return %0, %1, %2, %3 : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<f32>
}
func.func private @unused(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}
func.func private @ones(%n: tensor<i32>) -> tensor<?xf32> {
  %c = stablehlo.constant dense<1.0> : tensor<f32>
  %s = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %r = stablehlo.dynamic_broadcast_in_dim %c, %s, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
  return %r : tensor<?xf32>
}
func.func private @twice(%x: tensor<f32>) -> tensor<f32> {
  %r = stablehlo.add %x, %x : tensor<f32>
  return %r : tensor<f32>
}

// -----

// Functions of sizes alone are computed away, through their own calls.

// CHECK-LABEL: func.func @main(
// CHECK-NEXT: stablehlo.iota dim = 0 : tensor<2xi32>
// CHECK-NOT: func.func
func.func @main(%x: tensor<?x?xf32>) -> tensor<?xi32> {
  %n = stablehlo.get_dimension_size %x, dim = 1 : (tensor<?x?xf32>) -> tensor<i32>
  %h = func.call @half(%n) : (tensor<i32>) -> tensor<i32>
  %s = stablehlo.reshape %h : (tensor<i32>) -> tensor<1xi32>
  %r = stablehlo.dynamic_iota %s, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>
  return %r : tensor<?xi32>
}
func.func private @half(%n: tensor<i32>) -> tensor<i32> {
  %c = stablehlo.constant dense<2> : tensor<i32>
  %r = func.call @quotient(%n, %c) : (tensor<i32>, tensor<i32>) -> tensor<i32>
  return %r : tensor<i32>
}
func.func private @quotient(%a: tensor<i32>, %b: tensor<i32>) -> tensor<i32> {
  %r = stablehlo.divide %a, %b : tensor<i32>
  return %r : tensor<i32>
}

// -----

// Loops: carries get the types of what goes in, and a size that is carried along is known inside and after.

// CHECK-LABEL: func.func @main(
// CHECK: stablehlo.while({{.*}}) : tensor<i32>, tensor<3x4xf32>, tensor<i32>
// CHECK: stablehlo.broadcast_in_dim %{{.*}}, dims = [] : (tensor<f32>) -> tensor<3x4xf32>
// CHECK: stablehlo.iota dim = 0 : tensor<3xi32>
func.func @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?xi32>) {
  %one = stablehlo.constant dense<1> : tensor<i32>
  %half = stablehlo.constant dense<0.5> : tensor<f32>
  %four = stablehlo.constant dense<4> : tensor<1xi32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %r:3 = stablehlo.while(%i = %one, %a = %x, %k = %n) : tensor<i32>, tensor<?x4xf32>, tensor<i32>
  cond {
    %p = stablehlo.compare LT, %i, %k : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  } do {
    %j = stablehlo.add %i, %one : tensor<i32>
    %s = stablehlo.reshape %k : (tensor<i32>) -> tensor<1xi32>
    %t = stablehlo.concatenate %s, %four, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
    %h = stablehlo.dynamic_broadcast_in_dim %half, %t, dims = [] : (tensor<f32>, tensor<2xi32>) -> tensor<?x4xf32>
    %b = stablehlo.multiply %a, %h : tensor<?x4xf32>
    stablehlo.return %j, %b, %k : tensor<i32>, tensor<?x4xf32>, tensor<i32>
  }
  %s = stablehlo.reshape %r#2 : (tensor<i32>) -> tensor<1xi32>
  %c = stablehlo.dynamic_iota %s, dim = 0 : (tensor<1xi32>) -> tensor<?xi32>
  return %r#1, %c : tensor<?x4xf32>, tensor<?xi32>
}

// -----

// A branch on sizes is decided (the other one has no static form here); one on data keeps both.

// CHECK-LABEL: func.func @main(
// CHECK-NOT: stablehlo.case
// CHECK: %[[T:.*]] = stablehlo.slice %x [0:2, 0:4] : (tensor<3x4xf32>) -> tensor<2x4xf32>
// CHECK: "stablehlo.if"
// CHECK: stablehlo.return %{{.*}} : tensor<2x4xf32>
// CHECK: stablehlo.return %{{.*}} : tensor<2x4xf32>
// CHECK: : (tensor<i1>) -> tensor<2x4xf32>
func.func @main(%x: tensor<?x4xf32>) -> tensor<2x4xf32> {
  %two = stablehlo.constant dense<2> : tensor<i32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %large = stablehlo.compare GE, %n, %two : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %i = stablehlo.convert %large : (tensor<i1>) -> tensor<i32>
  %0 = "stablehlo.case"(%i) ({
    %p = stablehlo.pad %x, %zero, low = [-5, 0], high = [6, 0], interior = [0, 0] : (tensor<?x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    stablehlo.return %p : tensor<2x4xf32>
  }, {
    %p = stablehlo.slice %x [0:2, 0:4] : (tensor<?x4xf32>) -> tensor<2x4xf32>
    stablehlo.return %p : tensor<2x4xf32>
  }) : (tensor<i32>) -> tensor<2x4xf32>
  %e = stablehlo.reshape %0 : (tensor<2x4xf32>) -> tensor<8xf32>
  %f = stablehlo.slice %e [0:1] : (tensor<8xf32>) -> tensor<1xf32>
  %g = stablehlo.reshape %f : (tensor<1xf32>) -> tensor<f32>
  %q = stablehlo.compare LT, %g, %zero : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %1 = "stablehlo.if"(%q) ({
    %m = stablehlo.negate %0 : tensor<2x4xf32>
    stablehlo.return %m : tensor<2x4xf32>
  }, {
    stablehlo.return %0 : tensor<2x4xf32>
  }) : (tensor<i1>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// An assertion that holds is dropped, the custom calls of dynamic ops become ops, shape operands of others go.

// CHECK-LABEL: func.func @main(
// CHECK-NOT: shape_assertion
// CHECK: %[[W:.*]] = "stablehlo.reduce_window"(%x, %{{.*}}) <{{{.*}}window_dimensions = array<i64: 2, 1>
// CHECK: stablehlo.maximum
// CHECK: : (tensor<3x4xf32>, tensor<f32>) -> tensor<2x4xf32>
// CHECK: %{{.*}}, %{{.*}} = chlo.top_k(%x, k = 2) : tensor<3x4xf32> -> (tensor<3x2xf32>, tensor<3x2xi32>)
// CHECK: stablehlo.custom_call @mine(%x) {operand_layouts = [dense<[1, 0]> : tensor<2xindex>], result_layouts = [dense<[1, 0]> : tensor<2xindex>]} : (tensor<3x4xf32>) -> tensor<3x3xf32>
func.func @main(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x?xf32>, tensor<?x?xi32>, tensor<?x?xf32>) {
  %one = stablehlo.constant dense<1> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %w = stablehlo.constant dense<[2, 1]> : tensor<2xi32>
  %u = stablehlo.constant dense<[1, 1]> : tensor<2xi32>
  %p = stablehlo.constant dense<0> : tensor<2x2xi32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %holds = stablehlo.compare GE, %n, %one : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.custom_call @shape_assertion(%holds, %n) {error_message = "no rows: {0}", has_side_effect = true} : (tensor<i1>, tensor<i32>) -> ()
  %0 = stablehlo.custom_call @stablehlo.dynamic_reduce_window(%x, %low, %w, %u, %u, %u, %p) {called_computations = [@larger]} : (tensor<?x4xf32>, tensor<f32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2x2xi32>) -> tensor<?x4xf32>
  %1:2 = stablehlo.custom_call @stablehlo.dynamic_top_k(%x, %two) : (tensor<?x4xf32>, tensor<i32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
  %s = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %t = stablehlo.concatenate %s, %s, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
  %2 = stablehlo.custom_call @mine(%x, %t) {indices_of_shape_operands = dense<1> : tensor<1xi64>, operand_layouts = [dense<[1, 0]> : tensor<2xindex>, dense<0> : tensor<1xindex>], result_layouts = [dense<[1, 0]> : tensor<2xindex>]} : (tensor<?x4xf32>, tensor<2xi32>) -> tensor<?x?xf32>
  return %0, %1#0, %1#1, %2 : tensor<?x4xf32>, tensor<?x?xf32>, tensor<?x?xi32>, tensor<?x?xf32>
}
func.func private @larger(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %m = stablehlo.maximum %a, %b : tensor<f32>
  return %m : tensor<f32>
}

// -----

// Composites are specialized as calls are; bounds go with the `?` they bound.

// CHECK-LABEL: func.func @main(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
// CHECK: stablehlo.composite "my.op" %x {decomposition = @impl} : (tensor<3x4xf32>) -> tensor<3x4xf32>
// CHECK: func.func private @impl(%{{.*}}: tensor<3x4xf32>) -> tensor<3x4xf32>
func.func @main(%x: tensor<?x4xf32, #stablehlo.bounds<5, ?>>) -> tensor<?x4xf32, #stablehlo.bounds<5, ?>> {
  %0 = stablehlo.composite "my.op" %x {decomposition = @impl} : (tensor<?x4xf32, #stablehlo.bounds<5, ?>>) -> tensor<?x4xf32, #stablehlo.bounds<5, ?>>
  return %0 : tensor<?x4xf32, #stablehlo.bounds<5, ?>>
}
func.func private @impl(%x: tensor<?x4xf32, #stablehlo.bounds<5, ?>>) -> tensor<?x4xf32, #stablehlo.bounds<5, ?>> {
  %0 = stablehlo.tanh %x : tensor<?x4xf32, #stablehlo.bounds<5, ?>>
  return %0 : tensor<?x4xf32, #stablehlo.bounds<5, ?>>
}

// -----

// Members of tuples are refined with what they are made of.

// CHECK-LABEL: func.func @main(
// CHECK: stablehlo.tuple {{.*}} : tuple<tensor<3x4xf32>, !stablehlo.token>
// CHECK: stablehlo.get_tuple_element {{.*}} : (tuple<tensor<3x4xf32>, !stablehlo.token>) -> tensor<3x4xf32>
func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %t = stablehlo.create_token : !stablehlo.token
  %p = stablehlo.tuple %x, %t : tuple<tensor<?x4xf32>, !stablehlo.token>
  %g = stablehlo.get_tuple_element %p[0] : (tuple<tensor<?x4xf32>, !stablehlo.token>) -> tensor<?x4xf32>
  return %g : tensor<?x4xf32>
}

// -----

// Random numbers of a shape that is computed.

// CHECK-LABEL: func.func @main(
// CHECK: %{{.*}}, %{{.*}} = stablehlo.rng_bit_generator %{{.*}}, algorithm = {{.*}} : (tensor<2xui64>) -> (tensor<2xui64>, tensor<3xui32>)
// CHECK: stablehlo.rng %{{.*}}, %{{.*}}, %{{.*}}, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<3xf32>
func.func @main(%x: tensor<?x4xf32>) -> (tensor<?xui32>, tensor<?xf32>) {
  %state = stablehlo.constant dense<[1, 2]> : tensor<2xui64>
  %low = stablehlo.constant dense<0.0> : tensor<f32>
  %high = stablehlo.constant dense<1.0> : tensor<f32>
  %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x4xf32>) -> tensor<i32>
  %m = stablehlo.convert %n : (tensor<i32>) -> tensor<i64>
  %s = stablehlo.reshape %m : (tensor<i64>) -> tensor<1xi64>
  %0:2 = stablehlo.custom_call @stablehlo.dynamic_rng_bit_generator(%state, %s) {rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>} : (tensor<2xui64>, tensor<1xi64>) -> (tensor<2xui64>, tensor<?xui32>)
  %1 = stablehlo.rng %low, %high, %s, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  return %0#1, %1 : tensor<?xui32>, tensor<?xf32>
}
