// RUN: stepwell-opt %s -p expand-custom-calls --split-input-file --verify-diagnostics

func.func @unknown(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{is not supported: the custom call target 'shading' is not known}}
  %r = stablehlo.custom_call @shading(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

func.func @eigenvalues_of_any_matrix(%a: tensor<4x4xf32>) -> tensor<4xf32> {
  // expected-error @below {{the custom call target 'lapack_sgeev_ffi' is not known}}
  %r = stablehlo.custom_call @lapack_sgeev_ffi(%a) : (tensor<4x4xf32>) -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

func.func @element_type(%a: tensor<4x4xf64>) -> (tensor<4x4xf64>, tensor<i32>) {
  // expected-error @below {{of 'lapack_spotrf_ffi' has an operand of type tensor<4x4xf64>, its elements must be f32}}
  %r:2 = stablehlo.custom_call @lapack_spotrf_ffi(%a) {mhlo.backend_config = {uplo = 76 : ui8}} : (tensor<4x4xf64>) -> (tensor<4x4xf64>, tensor<i32>)
  return %r#0, %r#1 : tensor<4x4xf64>, tensor<i32>
}

// -----

func.func @rank(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<i32>) {
  // expected-error @below {{takes matrices, not tensor<4xf32>}}
  %r:2 = stablehlo.custom_call @lapack_spotrf_ffi(%a) {mhlo.backend_config = {uplo = 76 : ui8}} : (tensor<4xf32>) -> (tensor<4xf32>, tensor<i32>)
  return %r#0, %r#1 : tensor<4xf32>, tensor<i32>
}

// -----

func.func @square(%a: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<i32>) {
  // expected-error @below {{takes square matrices, not tensor<4x3xf32>}}
  %r:2 = stablehlo.custom_call @lapack_spotrf_ffi(%a) {mhlo.backend_config = {uplo = 76 : ui8}} : (tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<i32>)
  return %r#0, %r#1 : tensor<4x3xf32>, tensor<i32>
}

// -----

func.func @attribute(%a: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<i32>) {
  // expected-error @below {{has uplo = 75, expected one of L (76), U (85)}}
  %r:2 = stablehlo.custom_call @lapack_spotrf_ffi(%a) {mhlo.backend_config = {uplo = 75 : ui8}} : (tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<i32>)
  return %r#0, %r#1 : tensor<4x4xf32>, tensor<i32>
}

// -----

func.func @results(%a: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4xi32>, tensor<i32>) {
  // expected-error @below {{of 'lapack_sgetrf_ffi' has results (tensor<4x3xf32>, tensor<4xi32>, tensor<i32>), expected (tensor<4x3xf32>, tensor<3xi32>, tensor<i32>)}}
  %r:3 = stablehlo.custom_call @lapack_sgetrf_ffi(%a) : (tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4xi32>, tensor<i32>)
  return %r#0, %r#1, %r#2 : tensor<4x3xf32>, tensor<4xi32>, tensor<i32>
}

// -----

func.func @operands(%a: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @below {{of 'lapack_sorgqr_ffi' has 1 operands, expected 2}}
  %r = stablehlo.custom_call @lapack_sorgqr_ffi(%a) : (tensor<4x3xf32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}

// -----

func.func @scales(%a: tensor<4x3xf32>, %t: tensor<4xf32>) -> tensor<4x3xf32> {
  // expected-error @below {{has factors tensor<4x3xf32> and scales tensor<4xf32> that do not match}}
  %r = stablehlo.custom_call @lapack_sorgqr_ffi(%a, %t) : (tensor<4x3xf32>, tensor<4xf32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}

// -----

func.func @more_columns_than_rows(%a: tensor<3x4xf32>, %t: tensor<3xf32>) -> tensor<3x4xf32> {
  // expected-error @below {{makes 4 orthogonal columns of 3 rows}}
  %r = stablehlo.custom_call @lapack_sorgqr_ffi(%a, %t) : (tensor<3x4xf32>, tensor<3xf32>) -> tensor<3x4xf32>
  return %r : tensor<3x4xf32>
}

// -----

func.func @solve(%a: tensor<4x4xf32>, %b: tensor<3x2xf32>) -> tensor<3x2xf32> {
  // expected-error @below {{has operands tensor<4x4xf32> and tensor<3x2xf32> that do not match}}
  %r = stablehlo.custom_call @lapack_strsm_ffi(%a, %b) {mhlo.backend_config = {diag = 78 : ui8, side = 76 : ui8, trans_x = 84 : ui8, uplo = 76 : ui8}} : (tensor<4x4xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

func.func @flag(%a: tensor<4x2xf32>, %t: tensor<2xf32>, %c: tensor<4x3xf32>) -> tensor<4x3xf32> {
  // expected-error @below {{has left = 1, expected true or false}}
  %r = stablehlo.custom_call @lapack_sormqr_ffi(%a, %t, %c) {mhlo.backend_config = {left = 1 : i32, transpose = true}} : (tensor<4x2xf32>, tensor<2xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}

// -----

func.func @dynamic(%a: tensor<?x4x4xf32>) -> (tensor<?x4x4xf32>, tensor<?xi32>) {
  // expected-error @below {{is not supported: the dynamic shape of tensor<?x4x4xf32>}}
  %r:2 = stablehlo.custom_call @lapack_spotrf_ffi(%a) {mhlo.backend_config = {uplo = 76 : ui8}} : (tensor<?x4x4xf32>) -> (tensor<?x4x4xf32>, tensor<?xi32>)
  return %r#0, %r#1 : tensor<?x4x4xf32>, tensor<?xi32>
}

// -----

func.func @annotation(%a: tensor<4xf32>) -> tensor<2xf32> {
  // expected-error @below {{of 'Sharding' has results of other types than its operands}}
  %r = stablehlo.custom_call @Sharding(%a) : (tensor<4xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func private @greater(%a: tensor<f32>, %b: tensor<f32>) -> tensor<i1> {
  %0 = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}
func.func @no_dimension(%x: tensor<4x9xf32>, %low: tensor<f32>) -> tensor<4x3xf32> {
  // expected-error @below {{of 'ApproxTopK' has no reduction_dim among the dimensions of tensor<4x9xf32>}}
  %r = stablehlo.custom_call @ApproxTopK(%x, %low) {called_computations = [@greater], mhlo.backend_config = {top_k = 3 : i64}} : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}

// -----

func.func private @greater(%a: tensor<f32>, %b: tensor<f32>) -> tensor<i1> {
  %0 = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}
func.func @too_many(%x: tensor<4x9xf32>, %low: tensor<f32>) -> tensor<4x10xf32> {
  // expected-error @below {{of 'ApproxTopK' cannot take tensor<4x10xf32> out of tensor<4x9xf32>}}
  %r = stablehlo.custom_call @ApproxTopK(%x, %low) {called_computations = [@greater], mhlo.backend_config = {reduction_dim = 1 : i64, top_k = 3 : i64}} : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x10xf32>
  return %r : tensor<4x10xf32>
}

// -----

func.func @no_comparator(%x: tensor<4x9xf32>, %low: tensor<f32>) -> tensor<4x3xf32> {
  // expected-error @below {{of 'ApproxTopK' needs one called computation that compares}}
  %r = stablehlo.custom_call @ApproxTopK(%x, %low) {mhlo.backend_config = {reduction_dim = 1 : i64, top_k = 3 : i64}} : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}

// -----

func.func private @greater(%a: tensor<f32>) -> tensor<f32> {
  return %a : tensor<f32>
}
func.func @other_comparator(%x: tensor<4x9xf32>, %low: tensor<f32>) -> tensor<4x3xf32> {
  // expected-error @below {{of 'ApproxTopK' cannot compare by @greater: (tensor<f32>) -> tensor<f32>}}
  %r = stablehlo.custom_call @ApproxTopK(%x, %low) {called_computations = [@greater], mhlo.backend_config = {reduction_dim = 1 : i64, top_k = 3 : i64}} : (tensor<4x9xf32>, tensor<f32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}

// -----

func.func @no_start(%x: tensor<4x9xf32>) -> tensor<4x3xf32> {
  // expected-error @below {{of 'ApproxTopK' needs a starting value for each array, and a result for each}}
  %r = stablehlo.custom_call @ApproxTopK(%x) {mhlo.backend_config = {reduction_dim = 1 : i64}} : (tensor<4x9xf32>) -> tensor<4x3xf32>
  return %r : tensor<4x3xf32>
}
