// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// Composites with attributes and regions, and custom calls with all they may have.

// CHECK-LABEL: func.func @composites(
func.func @composites(%x: tensor<2xf32>) {
  // CHECK: %0 = stablehlo.composite "my.op" %x {composite_attributes = {a = 1 : i64, b = dense<1.000000e+00> : tensor<1xf32>, c = [], d = {}}, decomposition = @impl, version = 3 : i32} : (tensor<2xf32>) -> tensor<2xf32>
  %0 = stablehlo.composite "my.op" %x {composite_attributes = {a = 1 : i64, b = dense<1.0> : tensor<1xf32>, c = [], d = {}}, decomposition = @impl, version = 3 : i32} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: %1 = stablehlo.composite "my.op" %0 ({
  // CHECK-NEXT: ^bb{{.*}}(%a: tensor<f32>):
  // CHECK-NEXT:   stablehlo.return %a : tensor<f32>
  // CHECK-NEXT: }, {
  // CHECK-NEXT: }) {decomposition = @impl} : (tensor<2xf32>) -> tensor<2xf32>
  %1 = stablehlo.composite "my.op" %0 ({
  ^bb0(%a: tensor<f32>):
    stablehlo.return %a : tensor<f32>
  }, {
  }) {decomposition = @impl} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: %2 = stablehlo.custom_call @"a name"(%1) {api_version = 4 : i32, backend_config = {a = 1 : i64, s = "x"}, called_computations = [@impl], has_side_effect = true, operand_layouts = [dense<0> : tensor<1xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = []>], result_layouts = [dense<0> : tensor<1xindex>]} : (tensor<2xf32>) -> tensor<2xf32>
  %2 = stablehlo.custom_call @"a name"(%1) {api_version = 4 : i32, backend_config = {a = 1 : i64, s = "x"}, called_computations = [@impl], has_side_effect = true, operand_layouts = [dense<0> : tensor<1xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = []>], result_layouts = [dense<0> : tensor<1xindex>]} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: stablehlo.custom_call @nothing() {backend_config = "\22quoted\22", mhlo.backend_config = {x = 1 : ui64}} : () -> ()
  stablehlo.custom_call @nothing() {backend_config = "\22quoted\22", mhlo.backend_config = {x = 1 : ui64}} : () -> ()
  return
}

func.func private @impl(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
