// expect: ok
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 4>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = -1>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [3, 2], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 2], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 4], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [-1, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [1, 0], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [1, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 4], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [-1, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 2, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 1], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 4], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [-1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C11
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2]> : tensor<3xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<3xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 5, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, -1, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x1xi32>
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x4xi32>
  func.return
}

// -----

// expect: C14
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xi64>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xi64>, tensor<4xi64>) -> tensor<2x3x2x2xi64>
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<2x3x4x2xi32>, %i: tensor<2x3x2xf32>) {
  %s = stablehlo.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %r = "stablehlo.dynamic_gather"(%x, %i, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3], collapsed_slice_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 2>, indices_are_sorted = false}> : (tensor<2x3x4x2xi32>, tensor<2x3x2xf32>, tensor<4xi64>) -> tensor<2x3x2x2xi32>
  func.return
}
