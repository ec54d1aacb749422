// RUN: stepwell-opt %s -p expand-custom-calls --split-input-file | filecheck %s

// CHECK-LABEL: func.func @trsm
// CHECK-SAME: %[[A:.*]]: tensor<5x5xf32>, %[[B:.*]]: tensor<5x2xf32>
func.func @trsm(%a: tensor<5x5xf32>, %b: tensor<5x2xf32>) -> tensor<5x2xf32> {
  // CHECK-NEXT: "stablehlo.triangular_solve"(%[[A]], %[[B]]) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = #stablehlo<transpose TRANSPOSE>}>
  %r = stablehlo.custom_call @lapack_strsm_ffi(%a, %b) {backend_config = "", mhlo.backend_config = {diag = 78 : ui8, side = 76 : ui8, trans_x = 84 : ui8, uplo = 76 : ui8},
    operand_layouts = [dense<[0, 1]> : tensor<2xindex>, dense<[0, 1]> : tensor<2xindex>], result_layouts = [dense<[0, 1]> : tensor<2xindex>]} : (tensor<5x5xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  return %r : tensor<5x2xf32>
}

// -----

// The form of StableHLO's own: the attributes in backend_config.
// CHECK-LABEL: func.func @typed_interface
func.func @typed_interface(%a: tensor<5x5xf64>, %b: tensor<2x5xf64>) -> tensor<2x5xf64> {
  // CHECK-NEXT: "stablehlo.triangular_solve"(%{{.*}}) <{left_side = false, lower = false, unit_diagonal = true, transpose_a = #stablehlo<transpose ADJOINT>}>
  %r = stablehlo.custom_call @lapack_dtrsm_ffi(%a, %b) {api_version = 4 : i32,
    backend_config = {diag = 85 : ui8, side = 82 : ui8, trans_x = 67 : ui8, uplo = 85 : ui8}} : (tensor<5x5xf64>, tensor<2x5xf64>) -> tensor<2x5xf64>
  return %r : tensor<2x5xf64>
}

// -----

// The other triangle stays; info is the first column that failed.
// CHECK-LABEL: func.func @potrf
// CHECK-SAME: %[[A:.*]]: tensor<2x3x3xf32>
func.func @potrf(%a: tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2xi32>) {
  // CHECK: stablehlo.while
  // CHECK: stablehlo.sqrt
  // CHECK: stablehlo.reduce{{.*}} applies stablehlo.minimum
  // CHECK: %[[MINE:.*]] = stablehlo.compare GE
  // CHECK: stablehlo.select %[[MINE]], %{{.*}}, %[[A]]
  %r:2 = stablehlo.custom_call @lapack_spotrf_ffi(%a) {mhlo.backend_config = {uplo = 76 : ui8}} : (tensor<2x3x3xf32>) -> (tensor<2x3x3xf32>, tensor<2xi32>)
  return %r#0, %r#1 : tensor<2x3x3xf32>, tensor<2xi32>
}

// -----

// CHECK-LABEL: func.func @annotations
// CHECK-SAME: %[[A:.*]]: tensor<4xf32>
func.func @annotations(%a: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: func.return %[[A]]
  %0 = stablehlo.custom_call @Sharding(%a) {mhlo.sharding = "{replicated}"} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = stablehlo.custom_call @annotate_device_placement(%0) {has_side_effect = true} : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// Left to refine-shapes.
// CHECK-LABEL: func.func @assertion
func.func @assertion(%p: tensor<i1>) {
  // CHECK-NEXT: stablehlo.custom_call @shape_assertion
  stablehlo.custom_call @shape_assertion(%p) {has_side_effect = true, error_message = "no"} : (tensor<i1>) -> ()
  return
}

// -----

// Reflections of nothing are the identity.
// CHECK-LABEL: func.func @no_reflections
func.func @no_reflections(%a: tensor<3x2xf32>, %t: tensor<0xf32>) -> tensor<3x2xf32> {
  // CHECK-NOT: stablehlo.while
  // CHECK: stablehlo.compare EQ
  // CHECK: stablehlo.select
  %r = stablehlo.custom_call @lapack_sorgqr_ffi(%a, %t) : (tensor<3x2xf32>, tensor<0xf32>) -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

// The largest elements are found exactly: sorted by the comparator that the call names, which goes when nothing else names it.
// CHECK-LABEL: builtin.module
// CHECK-NOT: @greater
// CHECK-LABEL: func.func @approximately
// CHECK-SAME: (%[[X:.*]]: tensor<4x9xf32>, %[[I:.*]]: tensor<4x9xi32>)
func.func private @greater(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<i1> {
  %0 = stablehlo.compare GT, %a, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}
func.func @approximately(%x: tensor<4x9xf32>, %i: tensor<4x9xi32>) -> (tensor<4x3xf32>, tensor<4x3xi32>) {
  // CHECK: %[[V:.*]], %[[N:.*]] = "stablehlo.sort"(%[[X]], %[[I]]) <{dimension = 1 : i64, is_stable = true}>
  // CHECK: stablehlo.compare GT
  // CHECK: stablehlo.return
  // CHECK: stablehlo.slice %[[V]] [0:4, 0:3]
  // CHECK: stablehlo.slice %[[N]] [0:4, 0:3]
  // CHECK-NOT: @greater
  %low = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %none = stablehlo.constant dense<-1> : tensor<i32>
  %r:2 = stablehlo.custom_call @ApproxTopK(%x, %i, %low, %none) {called_computations = [@greater], mhlo.backend_config = {aggregate_to_topk = true, is_fallback = true, recall_target = 0.95 : f32, reduction_dim = 1 : i64, reduction_input_size_override = -1 : i64, top_k = 3 : i64}} : (tensor<4x9xf32>, tensor<4x9xi32>, tensor<f32>, tensor<i32>) -> (tensor<4x3xf32>, tensor<4x3xi32>)
  return %r#0, %r#1 : tensor<4x3xf32>, tensor<4x3xi32>
}
