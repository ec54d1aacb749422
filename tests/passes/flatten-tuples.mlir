// RUN: stepwell-opt %s --split-input-file --pass-pipeline='builtin.module(flatten-tuples)' | filecheck %s

// Members of tuples, nested ones too, are used directly; a name goes to the member.

// CHECK-LABEL: func.func @nested(%x: tensor<2xf32>, %y: tensor<i32>) -> (tensor<i32>, tensor<2xf32>) {
// CHECK-NEXT:    func.return %y, %x : tensor<i32>, tensor<2xf32>
func.func @nested(%x: tensor<2xf32>, %y: tensor<i32>) -> (tensor<i32>, tensor<2xf32>) {
  %t = stablehlo.tuple %x, %y : tuple<tensor<2xf32>, tensor<i32>>
  %e = stablehlo.tuple : tuple<>
  %u = stablehlo.tuple %e, %y, %t : tuple<tuple<>, tensor<i32>, tuple<tensor<2xf32>, tensor<i32>>>
  %a = stablehlo.get_tuple_element %u[2] : (tuple<tuple<>, tensor<i32>, tuple<tensor<2xf32>, tensor<i32>>>) -> tuple<tensor<2xf32>, tensor<i32>>
  %b = stablehlo.get_tuple_element %a[0] : (tuple<tensor<2xf32>, tensor<i32>>) -> tensor<2xf32>
  %c = stablehlo.get_tuple_element %a[1] : (tuple<tensor<2xf32>, tensor<i32>>) -> tensor<i32>
  return %c, %b : tensor<i32>, tensor<2xf32>
}

// -----

// Arguments and results of private functions, and calls; attributes go to each member.

// CHECK-LABEL: func.func private @swap(
// CHECK-SAME:    %t: tensor<2xf32> {a.b = 1 : i32}, %t_1: tensor<i32> {a.b = 1 : i32}, %k: tensor<i1>) -> (tensor<i32>, tensor<2xf32>) {
// CHECK-NEXT:    func.return %t_1, %t : tensor<i32>, tensor<2xf32>
func.func private @swap(%t: tuple<tensor<2xf32>, tensor<i32>> {a.b = 1 : i32}, %token: !stablehlo.token, %k: tensor<i1>) -> (!stablehlo.token, tuple<tensor<i32>, tensor<2xf32>>) {
  %a = stablehlo.get_tuple_element %t[0] : (tuple<tensor<2xf32>, tensor<i32>>) -> tensor<2xf32>
  %b = stablehlo.get_tuple_element %t[1] : (tuple<tensor<2xf32>, tensor<i32>>) -> tensor<i32>
  %s = stablehlo.tuple %b, %a : tuple<tensor<i32>, tensor<2xf32>>
  return %token, %s : !stablehlo.token, tuple<tensor<i32>, tensor<2xf32>>
}

// CHECK-LABEL: func.func @caller(
// CHECK-NEXT:    %r, %r_1 = func.call @swap(%x, %y, %k) : (tensor<2xf32>, tensor<i32>, tensor<i1>) -> (tensor<i32>, tensor<2xf32>)
// CHECK-NEXT:    func.return %r : tensor<i32>
func.func @caller(%x: tensor<2xf32>, %y: tensor<i32>, %k: tensor<i1>) -> tensor<i32> {
  %token = stablehlo.create_token : !stablehlo.token
  %after = stablehlo.after_all %token, %token : !stablehlo.token
  %t = stablehlo.tuple %x, %y : tuple<tensor<2xf32>, tensor<i32>>
  %n, %r = func.call @swap(%t, %after, %k) : (tuple<tensor<2xf32>, tensor<i32>>, !stablehlo.token, tensor<i1>) -> (!stablehlo.token, tuple<tensor<i32>, tensor<2xf32>>)
  %a = stablehlo.get_tuple_element %r[0] : (tuple<tensor<i32>, tensor<2xf32>>) -> tensor<i32>
  return %a : tensor<i32>
}

// CHECK: func.func private @declared(tensor<i1>) -> (tensor<i32>, tensor<i64>)
func.func private @declared(tuple<tensor<i1>>, !stablehlo.token) -> tuple<tensor<i32>, tuple<tensor<i64>>>

// -----

// Carries of loops, in both regions; tokens vanish from them.

// CHECK-LABEL: func.func @loop(
// CHECK:         %[[W:.*]], %[[V:.*]] = stablehlo.while(%[[I:.*]] = %n, %[[X:.*]] = %x) : tensor<i32>, tensor<2xf32>
// CHECK-NEXT:    cond {
// CHECK-NEXT:      %{{.*}} = stablehlo.compare LT, %[[I]], %n
// CHECK:         } do {
// CHECK-NEXT:      %[[D:.*]] = stablehlo.add %[[X]], %[[X]] : tensor<2xf32>
// CHECK-NEXT:      %[[J:.*]] = stablehlo.add %[[I]], %[[I]] : tensor<i32>
// CHECK-NEXT:      stablehlo.return %[[J]], %[[D]] : tensor<i32>, tensor<2xf32>
// CHECK:         func.return %[[V]] : tensor<2xf32>
func.func @loop(%n: tensor<i32>, %x: tensor<2xf32>) -> tensor<2xf32> {
  %token = stablehlo.create_token : !stablehlo.token
  %t = stablehlo.tuple %n, %x : tuple<tensor<i32>, tensor<2xf32>>
  %r:2 = stablehlo.while(%s = %t, %k = %token) : tuple<tensor<i32>, tensor<2xf32>>, !stablehlo.token
  cond {
    %i = stablehlo.get_tuple_element %s[0] : (tuple<tensor<i32>, tensor<2xf32>>) -> tensor<i32>
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %i = stablehlo.get_tuple_element %s[0] : (tuple<tensor<i32>, tensor<2xf32>>) -> tensor<i32>
    %v = stablehlo.get_tuple_element %s[1] : (tuple<tensor<i32>, tensor<2xf32>>) -> tensor<2xf32>
    %d = stablehlo.add %v, %v : tensor<2xf32>
    %j = stablehlo.add %i, %i : tensor<i32>
    %p = stablehlo.tuple %j, %d : tuple<tensor<i32>, tensor<2xf32>>
    stablehlo.return %p, %k : tuple<tensor<i32>, tensor<2xf32>>, !stablehlo.token
  }
  %v = stablehlo.get_tuple_element %r#0[1] : (tuple<tensor<i32>, tensor<2xf32>>) -> tensor<2xf32>
  return %v : tensor<2xf32>
}

// -----

// Branches, composites and barriers.

// CHECK-LABEL: func.func @branches(
// CHECK:         %[[R:.*]], %[[S:.*]] = "stablehlo.if"(%p) ({
// CHECK-NEXT:      stablehlo.return %x, %x : tensor<f32>, tensor<f32>
// CHECK-NEXT:    }, {
// CHECK:           stablehlo.return %{{.*}}, %x : tensor<f32>, tensor<f32>
// CHECK:         %[[B:.*]], %[[D:.*]] = stablehlo.optimization_barrier %[[R]], %[[S]] : tensor<f32>, tensor<f32>
// CHECK-NEXT:    %[[C:.*]] = stablehlo.composite "my.op" %[[B]], %[[D]] {decomposition = @impl} : (tensor<f32>, tensor<f32>) -> tensor<f32>
// CHECK-NEXT:    func.return %[[C]] : tensor<f32>
func.func @branches(%p: tensor<i1>, %x: tensor<f32>) -> tensor<f32> {
  %r = "stablehlo.if"(%p) ({
    %t = stablehlo.tuple %x, %x : tuple<tensor<f32>, tensor<f32>>
    stablehlo.return %t : tuple<tensor<f32>, tensor<f32>>
  }, {
    %n = stablehlo.negate %x : tensor<f32>
    %t = stablehlo.tuple %n, %x : tuple<tensor<f32>, tensor<f32>>
    stablehlo.return %t : tuple<tensor<f32>, tensor<f32>>
  }) : (tensor<i1>) -> tuple<tensor<f32>, tensor<f32>>
  %b = stablehlo.optimization_barrier %r : tuple<tensor<f32>, tensor<f32>>
  %c = stablehlo.composite "my.op" %b {decomposition = @impl} : (tuple<tensor<f32>, tensor<f32>>) -> tuple<tensor<f32>>
  %y = stablehlo.get_tuple_element %c[0] : (tuple<tensor<f32>>) -> tensor<f32>
  return %y : tensor<f32>
}

// CHECK-LABEL: func.func private @impl(
// CHECK-SAME:    %t: tensor<f32>, %t_1: tensor<f32>) -> tensor<f32>
// CHECK-NEXT:    func.return %t : tensor<f32>
func.func private @impl(%t: tuple<tensor<f32>, tensor<f32>>) -> tuple<tensor<f32>> {
  %a = stablehlo.get_tuple_element %t[0] : (tuple<tensor<f32>, tensor<f32>>) -> tensor<f32>
  %r = stablehlo.tuple %a : tuple<tensor<f32>>
  return %r : tuple<tensor<f32>>
}

// -----

// Custom calls: the layouts of tokens go, aliases name members.

// CHECK-LABEL: func.func @custom(
// CHECK:         %{{.*}}, %{{.*}} = stablehlo.custom_call @f(%x, %y) {operand_layouts = [dense<0> : tensor<1xindex>, dense<> : tensor<0xindex>], result_layouts = [dense<0> : tensor<1xindex>, dense<> : tensor<0xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [1], operand_index = 1, operand_tuple_indices = []>]} : (tensor<2xf32>, tensor<i32>) -> (tensor<2xf32>, tensor<i32>)
// CHECK:    %{{.*}} = stablehlo.custom_call @g(%x, %y) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 1, operand_tuple_indices = []>]} : (tensor<2xf32>, tensor<i32>) -> tensor<i32>
// CHECK-NEXT:    func.return
func.func @custom(%x: tensor<2xf32>, %y: tensor<i32>) {
  %token = stablehlo.create_token : !stablehlo.token
  %r = stablehlo.custom_call @f(%token, %x, %y) {operand_layouts = [dense<> : tensor<0xindex>, dense<0> : tensor<1xindex>, dense<> : tensor<0xindex>], result_layouts = [dense<0> : tensor<1xindex>, dense<> : tensor<0xindex>, dense<> : tensor<0xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [1], operand_index = 2, operand_tuple_indices = []>]} : (!stablehlo.token, tensor<2xf32>, tensor<i32>) -> tuple<tensor<2xf32>, tensor<i32>, !stablehlo.token>
  %t = stablehlo.tuple %x, %y : tuple<tensor<2xf32>, tensor<i32>>
  %s = stablehlo.custom_call @g(%t) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = [1]>]} : (tuple<tensor<2xf32>, tensor<i32>>) -> tensor<i32>
  return
}
