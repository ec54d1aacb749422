// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @one_side(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{stablehlo.custom_call: layouts: layouts are of both the operands and the results, or of neither}}
  stablehlo.custom_call @f(%x) {operand_layouts = [dense<[1, 0]> : tensor<2xindex>]} : (tensor<2x3xf32>) -> ()
  return
}

// -----

func.func @count(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{stablehlo.custom_call: result_layouts: 0 layouts of 1 results}}
  %0 = stablehlo.custom_call @f(%x) {operand_layouts = [dense<[1, 0]> : tensor<2xindex>], result_layouts = []} : (tensor<2x3xf32>) -> tensor<f32>
  return
}

// -----

func.func @order(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{stablehlo.custom_call: operand_layouts: the layout [0, 2] of operand 0 of type tensor<2x3xf32> is no order of its dims}}
  stablehlo.custom_call @f(%x) {operand_layouts = [dense<[0, 2]> : tensor<2xindex>], result_layouts = []} : (tensor<2x3xf32>) -> ()
  return
}

// -----

func.func @token(%t: !stablehlo.token) {
  // expected-error @+1 {{stablehlo.custom_call: operand_layouts: operand 0 of type !stablehlo.token has the layout [0], expected an empty one}}
  stablehlo.custom_call @f(%t) {operand_layouts = [dense<0> : tensor<1xindex>], result_layouts = []} : (!stablehlo.token) -> ()
  return
}

// -----

func.func @tuple(%t: tuple<tensor<f32>>) {
  // expected-error @+1 {{operand 0 of type tuple<tensor<f32>> is a tuple, which has no layout}}
  stablehlo.custom_call @f(%t) {operand_layouts = [dense<> : tensor<0xindex>], result_layouts = []} : (tuple<tensor<f32>>) -> ()
  return
}

// -----

func.func @alias_operand(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.custom_call: output_operand_aliases: operand_index 1 of 1 operands}}
  %0 = stablehlo.custom_call @f(%x) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 1, operand_tuple_indices = []>]} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @alias_indices(%x: tensor<2xf32>) {
  // expected-error @+1 {{output_tuple_indices [2] do not fit tuple<tensor<2xf32>, tensor<i32>>}}
  %0:2 = stablehlo.custom_call @f(%x) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [2], operand_index = 0, operand_tuple_indices = []>]} : (tensor<2xf32>) -> (tensor<2xf32>, tensor<i32>)
  return
}

// -----

func.func @alias_types(%x: tensor<2xf32>) {
  // expected-error @+1 {{an operand of type tensor<2xf32> is the memory of a result of type tensor<i32>}}
  %0:2 = stablehlo.custom_call @f(%x) {output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [1], operand_index = 0, operand_tuple_indices = []>]} : (tensor<2xf32>) -> (tensor<2xf32>, tensor<i32>)
  return
}

// -----

func.func @dictionary(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.custom_call: backend_config: "x" is not a dictionary, as api_version asks for}}
  stablehlo.custom_call @f(%x) {api_version = 4 : i32, backend_config = "x"} : (tensor<2xf32>) -> ()
  return
}

// -----

func.func @string(%x: tensor<2xf32>) {
  // expected-error @+1 {{stablehlo.custom_call: backend_config: {a = 1 : i64} is not a string, as api_version asks for}}
  stablehlo.custom_call @f(%x) {backend_config = {a = 1 : i64}} : (tensor<2xf32>) -> ()
  return
}
