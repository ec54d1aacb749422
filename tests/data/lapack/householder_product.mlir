module @jit_householder_product attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<5x3xf64>, %arg1: tensor<2xf64>) -> (tensor<5x3xf64> {jax.result_info = "result"}) {
    %0 = stablehlo.custom_call @lapack_dorgqr_ffi(%arg0, %arg1) {backend_config = "", mhlo.backend_config = {}, mhlo.frontend_attributes = {num_batch_dims = "0"}, operand_layouts = [dense<[0, 1]> : tensor<2xindex>, dense<0> : tensor<1xindex>], output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [], operand_index = 0, operand_tuple_indices = []>], result_layouts = [dense<[0, 1]> : tensor<2xindex>], sdy.sharding_rule = #sdy.op_sharding_rule<([i, j], [k])->([l, m]) {i=5, j=3, k=2, l=5, m=3}, custom>} : (tensor<5x3xf64>, tensor<2xf64>) -> tensor<5x3xf64>
    return %0 : tensor<5x3xf64>
  }
}
