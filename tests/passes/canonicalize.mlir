// RUN: stepwell-opt %s --canonicalize --split-input-file | filecheck %s

// Equal constants become one, at the start of the function; folding is exact.

// CHECK-LABEL: func.func @fold_integers
// CHECK-NEXT: %[[C:.*]] = arith.constant -128 : i8
// CHECK-NEXT: func.return %[[C]], %{{.*}} : i8, i8
func.func @fold_integers(%x: i8) -> (i8, i8) {
  %a = arith.constant 127 : i8
  %b = arith.constant 1 : i8
  %0 = arith.addi %a, %b : i8
  %1 = arith.muli %x, %b : i8
  func.return %0, %1 : i8, i8
}

// -----

// CHECK-LABEL: func.func @undefined_stays
// CHECK: arith.divsi
// CHECK: arith.shli
// CHECK: arith.divsi
func.func @undefined_stays() -> (i32, i32, i32) {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %wide = arith.constant 32 : i32
  %least = arith.constant -2147483648 : i32
  %minus = arith.constant -1 : i32
  %0 = arith.divsi %one, %zero : i32
  %1 = arith.shli %one, %wide : i32
  %2 = arith.divsi %least, %minus : i32
  func.return %0, %1, %2 : i32, i32, i32
}

// -----

// x + 0.0 is not x for x = -0.0; x - 0.0, x + -0.0, x * 1.0, x / 1.0 are.

// CHECK-LABEL: func.func @float_identities
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[KEPT:.*]] = arith.addf %[[X]], %[[ZERO]] : f32
// CHECK-NEXT: func.return %[[KEPT]], %[[X]], %[[X]], %[[X]], %[[X]] : f32, f32, f32, f32, f32
func.func @float_identities(%x: f32) -> (f32, f32, f32, f32, f32) {
  %zero = arith.constant 0.0 : f32
  %negative = arith.constant -0.0 : f32
  %one = arith.constant 1.0 : f32
  %0 = arith.addf %zero, %x : f32
  %1 = arith.addf %x, %negative : f32
  %2 = arith.subf %x, %zero : f32
  %3 = arith.mulf %one, %x : f32
  %4 = arith.divf %x, %one : f32
  func.return %0, %1, %2, %3, %4 : f32, f32, f32, f32, f32
}

// -----

// CHECK-LABEL: func.func @comparisons
// CHECK-SAME: (%[[X:.*]]: i32, %[[C:.*]]: i1)
// CHECK: %[[TEN:.*]] = arith.constant 10 : i32
// CHECK: %[[GT:.*]] = arith.cmpi sgt, %[[X]], %[[TEN]] : i32
// CHECK: %[[S:.*]] = arith.select %[[C]], %[[TEN]], %[[X]] : i32
// CHECK: func.return %[[GT]], %{{.*}}, %[[C]], %[[S]] : i1, i1, i1, i32
func.func @comparisons(%x: i32, %c: i1) -> (i1, i1, i1, i32) {
  %ten = arith.constant 10 : i32
  %true = arith.constant true
  %false = arith.constant false
  %0 = arith.cmpi slt, %ten, %x : i32
  %1 = arith.cmpi ule, %x, %x : i32
  %2 = arith.select %c, %true, %false : i1
  %not = arith.xori %c, %true : i1
  %3 = arith.select %not, %x, %ten : i32
  func.return %0, %1, %2, %3 : i1, i1, i1, i32
}

// -----

// CHECK-LABEL: func.func @chains
// CHECK-SAME: (%[[X:.*]]: i32, %[[F:.*]]: bf16)
// CHECK: %[[C:.*]] = arith.constant 7 : i32
// CHECK: %[[R:.*]] = arith.addi %[[X]], %[[C]] : i32
// CHECK-NEXT: func.return %[[R]], %[[X]], %[[F]] : i32, i32, bf16
func.func @chains(%x: i32, %f: bf16) -> (i32, i32, bf16) {
  %three = arith.constant 3 : i32
  %four = arith.constant 4 : i32
  %0 = arith.addi %x, %three : i32
  %1 = arith.addi %0, %four : i32
  %2 = arith.extui %x : i32 to i64
  %3 = arith.trunci %2 : i64 to i32
  %4 = arith.extf %f : bf16 to f32
  %5 = arith.truncf %4 : f32 to bf16
  func.return %1, %3, %5 : i32, i32, bf16
}

// -----

// A generic's body is a scope of its own: its constants do not become captures.

// CHECK-LABEL: func.func @scopes
// CHECK-NEXT: %[[OUT:.*]] = tensor.empty
// CHECK-NEXT: linalg.generic
// CHECK: ^{{.*}}(%{{.*}}: f32, %{{.*}}: f32):
// CHECK-NEXT: arith.constant 2.000000e+00 : f32
func.func @scopes(%x: tensor<4xf32>) -> tensor<4xf32> {
  %out = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
                       iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%out : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %two = arith.constant 2.0 : f32
    %1 = arith.mulf %a, %two : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @tensor_shapes
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x4xf32>, %[[Y:.*]]: tensor<24xf32>)
// CHECK-NEXT: %[[ONE:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0 : i64, 1 : i64, 2 : i64{{\]\]}}
// CHECK-NEXT: func.return %[[X]], %[[ONE]], %[[X]], %[[Y]]
func.func @tensor_shapes(%x: tensor<2x3x4xf32>, %y: tensor<24xf32>)
    -> (tensor<2x3x4xf32>, tensor<24xf32>, tensor<2x3x4xf32>, tensor<24xf32>) {
  %0 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %2 = tensor.collapse_shape %0 [[0, 1]] : tensor<6x4xf32> into tensor<24xf32>
  %3 = tensor.extract_slice %x[0, 0, 0] [2, 3, 4] [1, 1, 1] : tensor<2x3x4xf32> to tensor<2x3x4xf32>
  %4 = tensor.empty() : tensor<24xf32>
  %5 = tensor.insert_slice %y into %4[0] [24] [1] : tensor<24xf32> into tensor<24xf32>
  func.return %1, %2, %3, %5 : tensor<2x3x4xf32>, tensor<24xf32>, tensor<2x3x4xf32>, tensor<24xf32>
}

// -----

// CHECK-LABEL: func.func @elements
// CHECK-SAME: (%[[A:.*]]: f32, %[[B:.*]]: f32)
// CHECK-DAG: %[[SEVEN:.*]] = arith.constant 7 : i32
// CHECK: func.return %[[SEVEN]], %[[B]] : i32, f32
func.func @elements(%a: f32, %b: f32) -> (i32, f32) {
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : index
  %c = arith.constant dense<[[5, 6], [7, 8]]> : tensor<2x2xi32>
  %0 = tensor.extract %c[%one, %zero] : tensor<2x2xi32>
  %t = tensor.from_elements %a, %b : tensor<2xf32>
  %1 = tensor.extract %t[%one] : tensor<2xf32>
  func.return %0, %1 : i32, f32
}

// -----

// CHECK-LABEL: func.func @branches
// CHECK-SAME: (%[[X:.*]]: f32, %[[C:.*]]: i1)
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[X]] : f32
// CHECK-NEXT: %[[R:.*]] = scf.if %[[C]] -> (f32)
// CHECK: func.return %[[N]], %[[R]], %[[X]] : f32, f32, f32
func.func @branches(%x: f32, %c: i1) -> (f32, f32, f32) {
  %true = arith.constant true
  %0 = scf.if %true -> (f32) {
    %1 = arith.negf %x : f32
    scf.yield %1 : f32
  } else {
    scf.yield %x : f32
  }
  %2:3 = scf.if %c -> (f32, f32, f32) {
    %3 = arith.addf %x, %x : f32
    scf.yield %x, %3, %3 : f32, f32, f32
  } else {
    scf.yield %x, %x, %x : f32, f32, f32
  }
  func.return %0, %2#1, %2#0 : f32, f32, f32
}

// -----

// CHECK-LABEL: func.func @trips
// CHECK-SAME: (%[[X:.*]]: f32, %[[N:.*]]: index)
// CHECK-NEXT: %[[ONCE:.*]] = arith.addf %[[X]], %[[X]] : f32
// CHECK-NEXT: func.return %[[X]], %[[ONCE]], %[[X]] : f32, f32, f32
func.func @trips(%x: f32, %n: index) -> (f32, f32, f32) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %0 = scf.for %i = %four to %zero step %one iter_args(%a = %x) -> (f32) {
    %1 = arith.addf %a, %a : f32
    scf.yield %1 : f32
  }
  %2 = scf.for %i = %zero to %four step %four iter_args(%a = %x) -> (f32) {
    %3 = arith.addf %a, %a : f32
    scf.yield %3 : f32
  }
  %4 = scf.for %i = %n to %n step %one iter_args(%a = %x) -> (f32) {
    %5 = arith.addf %a, %a : f32
    scf.yield %5 : f32
  }
  func.return %0, %2, %4 : f32, f32, f32
}

// -----

// Carries that every iteration passes on are used from outside the loop.

// CHECK-LABEL: func.func @invariant_while
// CHECK-SAME: (%[[X:.*]]: f32, %[[Y:.*]]: f32)
// CHECK: %[[R:.*]] = scf.while (%[[A:.*]] = %[[X]]) : (f32) -> f32 {
// CHECK: arith.cmpf olt, %[[A]], %[[Y]]
// CHECK: scf.condition(%{{.*}}) %[[A]] : f32
// CHECK: arith.addf %{{.*}}, %[[Y]]
// CHECK: func.return %[[R]], %[[Y]] : f32, f32
func.func @invariant_while(%x: f32, %y: f32) -> (f32, f32) {
  %0:2 = scf.while (%a = %x, %b = %y) : (f32, f32) -> (f32, f32) {
    %c = arith.cmpf olt, %a, %b : f32
    scf.condition(%c) %a, %b : f32, f32
  } do {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.addf %a, %b : f32
    scf.yield %1, %b : f32, f32
  }
  func.return %0#0, %0#1 : f32, f32
}

// -----

// A swap is no invariant.

// CHECK-LABEL: func.func @swap
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %{{.*}}) -> (f32, f32)
func.func @swap(%x: f32, %y: f32, %n: index) -> (f32, f32) {
  %one = arith.constant 1 : index
  %0:2 = scf.for %i = %one to %n step %one iter_args(%a = %x, %b = %y) -> (f32, f32) {
    scf.yield %b, %a : f32, f32
  }
  func.return %0#0, %0#1 : f32, f32
}

// -----

// CHECK-LABEL: func.func @stablehlo_shapes
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>, %[[S:.*]]: tensor<f32>)
// CHECK-NEXT: %[[B:.*]] = stablehlo.broadcast_in_dim %[[S]], dims = [] : (tensor<f32>) -> tensor<2x3x4xf32>
// CHECK-NEXT: func.return %[[X]], %[[X]], %[[B]], %[[X]], %[[X]]
func.func @stablehlo_shapes(%x: tensor<2x3xf32>, %s: tensor<f32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3x4xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %1 = stablehlo.transpose %0, dims = [1, 0] : (tensor<3x2xf32>) -> tensor<2x3xf32>
  %2 = stablehlo.reshape %x : (tensor<2x3xf32>) -> tensor<6xf32>
  %3 = stablehlo.reshape %2 : (tensor<6xf32>) -> tensor<2x3xf32>
  %4 = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<f32>) -> tensor<1x3xf32>
  %5 = stablehlo.broadcast_in_dim %4, dims = [0, 1] : (tensor<1x3xf32>) -> tensor<2x3xf32>
  %6 = stablehlo.broadcast_in_dim %5, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3x4xf32>
  %7 = stablehlo.slice %x [0:2, 0:3] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = stablehlo.pad %x, %s, low = [0, 0], high = [0, 0], interior = [0, 0]
     : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  func.return %1, %3, %6, %7, %8
    : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3x4xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @slice_of_slice
// CHECK-NEXT: %[[R:.*]] = stablehlo.slice %{{.*}} [5:12:6] : (tensor<20xf32>) -> tensor<2xf32>
// CHECK-NEXT: func.return %[[R]]
func.func @slice_of_slice(%x: tensor<20xf32>) -> tensor<2xf32> {
  %0 = stablehlo.slice %x [2:18:3] : (tensor<20xf32>) -> tensor<6xf32>
  %1 = stablehlo.slice %0 [1:5:2] : (tensor<6xf32>) -> tensor<2xf32>
  func.return %1 : tensor<2xf32>
}

// -----

// maximum(x, -inf) is x, NaN and -0.0 included; maximum(x, 0.0) is not.

// CHECK-LABEL: func.func @stablehlo_units
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
// CHECK: %[[KEPT:.*]] = stablehlo.maximum
// CHECK-NEXT: func.return %[[X]], %[[KEPT]], %[[X]]
func.func @stablehlo_units(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %inf = stablehlo.constant dense<0xFF800000> : tensor<f32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %true = stablehlo.constant dense<true> : tensor<4xi1>
  %0 = stablehlo.broadcast_in_dim %inf, dims = [] : (tensor<f32>) -> tensor<4xf32>
  %1 = stablehlo.broadcast_in_dim %zero, dims = [] : (tensor<f32>) -> tensor<4xf32>
  %2 = stablehlo.maximum %0, %x : tensor<4xf32>
  %3 = stablehlo.maximum %x, %1 : tensor<4xf32>
  %4 = stablehlo.select %true, %x, %1 : tensor<4xi1>, tensor<4xf32>
  func.return %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// ui32 compares and divides unsigned; i32 signed.

// CHECK-LABEL: func.func @stablehlo_scalars
// CHECK-DAG: %[[T:.*]] = stablehlo.constant dense<true> : tensor<i1>
// CHECK-DAG: %[[F:.*]] = stablehlo.constant dense<false> : tensor<i1>
// CHECK-DAG: %[[Q:.*]] = stablehlo.constant dense<-2> : tensor<i32>
// CHECK: func.return %[[T]], %[[F]], %[[Q]]
func.func @stablehlo_scalars() -> (tensor<i1>, tensor<i1>, tensor<i32>) {
  %big = stablehlo.constant dense<4294967295> : tensor<ui32>
  %one = stablehlo.constant dense<1> : tensor<ui32>
  %minus = stablehlo.constant dense<-5> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %0 = stablehlo.compare GT, %big, %one : (tensor<ui32>, tensor<ui32>) -> tensor<i1>
  %1 = stablehlo.compare GT, %minus, %two : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %2 = stablehlo.divide %minus, %two : tensor<i32>
  func.return %0, %1, %2 : tensor<i1>, tensor<i1>, tensor<i32>
}

// -----

// CHECK-LABEL: func.func @stablehlo_while
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[N:.*]]: tensor<i32>)
// CHECK: %[[R:.*]] = stablehlo.while(%[[I:.*]] = %{{.*}}) : tensor<i32>
// CHECK: stablehlo.compare LT, %[[I]], %[[N]]
// CHECK: func.return %[[R]], %[[X]]
func.func @stablehlo_while(%x: tensor<4xf32>, %n: tensor<i32>) -> (tensor<i32>, tensor<4xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %0:3 = stablehlo.while(%i = %zero, %a = %x, %m = %n) : tensor<i32>, tensor<4xf32>, tensor<i32>
    cond {
      %1 = stablehlo.compare LT, %i, %m : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %1 : tensor<i1>
    } do {
      %one = stablehlo.constant dense<1> : tensor<i32>
      %2 = stablehlo.add %i, %one : tensor<i32>
      stablehlo.return %2, %a, %m : tensor<i32>, tensor<4xf32>, tensor<i32>
    }
  func.return %0#0, %0#1 : tensor<i32>, tensor<4xf32>
}

// -----

// A case index out of range takes the last branch.

// CHECK-LABEL: func.func @stablehlo_branches
// CHECK-SAME: (%[[X:.*]]: tensor<f32>, %[[P:.*]]: tensor<i1>)
// CHECK-NEXT: %[[N:.*]] = stablehlo.negate %[[X]]
// CHECK-NEXT: %[[T:.*]] = stablehlo.tanh %[[X]]
// CHECK-NEXT: %[[R:.*]] = "stablehlo.if"(%[[P]]) ({
// CHECK-NEXT: %[[A:.*]] = stablehlo.add %[[X]], %[[X]]
// CHECK-NEXT: stablehlo.return %[[A]] : tensor<f32>
// CHECK: (tensor<i1>) -> tensor<f32>
// CHECK: func.return %[[N]], %[[T]], %[[R]], %[[X]]
func.func @stablehlo_branches(%x: tensor<f32>, %p: tensor<i1>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) {
  %false = stablehlo.constant dense<false> : tensor<i1>
  %seven = stablehlo.constant dense<7> : tensor<i32>
  %0 = "stablehlo.if"(%false) ({
    stablehlo.return %x : tensor<f32>
  }, {
    %1 = stablehlo.negate %x : tensor<f32>
    stablehlo.return %1 : tensor<f32>
  }) : (tensor<i1>) -> tensor<f32>
  %2 = "stablehlo.case"(%seven) ({
    stablehlo.return %x : tensor<f32>
  }, {
    %3 = stablehlo.tanh %x : tensor<f32>
    stablehlo.return %3 : tensor<f32>
  }) : (tensor<i32>) -> tensor<f32>
  %4:3 = "stablehlo.if"(%p) ({
    %5 = stablehlo.add %x, %x : tensor<f32>
    %6 = stablehlo.sine %x : tensor<f32>
    stablehlo.return %5, %6, %x : tensor<f32>, tensor<f32>, tensor<f32>
  }, {
    stablehlo.return %x, %x, %x : tensor<f32>, tensor<f32>, tensor<f32>
  }) : (tensor<i1>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  func.return %0, %2, %4#0, %4#2 : tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>
}

// -----

// An op stays apart when it carries attributes of its own.

// CHECK-LABEL: func.func @marked_constants
// CHECK-COUNT-2: arith.constant
func.func @marked_constants() -> (i32, i32) {
  %0 = arith.constant {kernel.group = 1 : i64} 3 : i32
  %1 = arith.constant 3 : i32
  func.return %0, %1 : i32, i32
}

// -----

// Clamps of indices that are known to be inside: of a loop's index, of the elements of a constant, of what a remainder leaves.
// CHECK-LABEL: func.func @inside
// CHECK: ^bb0(%[[E:.*]]: i32, %{{.*}}: i32, %{{.*}}: f32, %{{.*}}: f32):
// CHECK-NOT: arith.m
// CHECK: %[[I:.*]] = arith.index_cast %[[E]] : i32 to index
// CHECK-NOT: arith.m
// CHECK: tensor.extract %x[%[[I]], %{{.*}}]
// CHECK: arith.minsi
// CHECK: linalg.yield
func.func @inside(%x: tensor<10x4xf32>, %d: tensor<3xi32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %c = arith.constant dense<[1, 9, 0]> : tensor<3xi32>
  %e = tensor.empty() : tensor<3xf32>
  %r, %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%c, %d : tensor<3xi32>, tensor<3xi32>) outs(%e, %e : tensor<3xf32>, tensor<3xf32>) {
  ^bb0(%a: i32, %b: i32, %o: f32, %p: f32):
    %nine = arith.constant 9 : index
    %three = arith.constant 3 : index
    %zero = arith.constant 0 : index
    %i = arith.index_cast %a : i32 to index
    %j = arith.minsi %i, %nine : index
    %k = arith.maxsi %j, %zero : index
    %l = linalg.index 0 : index
    %m = arith.minsi %l, %three : index
    %v = tensor.extract %x[%k, %m] : tensor<10x4xf32>
    %n = arith.index_cast %b : i32 to index
    %q = arith.minsi %n, %nine : index
    %w = tensor.extract %x[%q, %m] : tensor<10x4xf32>
    linalg.yield %v, %w : f32, f32
  } -> (tensor<3xf32>, tensor<3xf32>)
  func.return %r, %s : tensor<3xf32>, tensor<3xf32>
}
