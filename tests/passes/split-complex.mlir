// RUN: stepwell-opt %s --split-input-file --split-complex | filecheck %s

// A program's own arguments and results keep their memory: the parts lie side by side in a last dim.

// CHECK-LABEL: func.func public @multiply
// CHECK-SAME: (%[[X:.*]]: tensor<4x2xf32>, %[[Y:.*]]: tensor<4x2xf32>) -> tensor<4x2xf32>
// CHECK-DAG: %[[X0:.*]] = stablehlo.slice %[[X]] [0:4, 0:1]
// CHECK-DAG: %[[XR:.*]] = stablehlo.reshape %[[X0]] : (tensor<4x1xf32>) -> tensor<4xf32>
// CHECK-DAG: %[[X1:.*]] = stablehlo.slice %[[X]] [0:4, 1:2]
// CHECK-DAG: %[[XI:.*]] = stablehlo.reshape %[[X1]] : (tensor<4x1xf32>) -> tensor<4xf32>
// CHECK-DAG: %[[Y0:.*]] = stablehlo.slice %[[Y]] [0:4, 0:1]
// CHECK-DAG: %[[YR:.*]] = stablehlo.reshape %[[Y0]] : (tensor<4x1xf32>) -> tensor<4xf32>
// CHECK-DAG: %[[Y1:.*]] = stablehlo.slice %[[Y]] [0:4, 1:2]
// CHECK-DAG: %[[YI:.*]] = stablehlo.reshape %[[Y1]] : (tensor<4x1xf32>) -> tensor<4xf32>
// CHECK: %[[A:.*]] = stablehlo.multiply %[[XR]], %[[YR]] : tensor<4xf32>
// CHECK-NEXT: %[[B:.*]] = stablehlo.multiply %[[XI]], %[[YI]] : tensor<4xf32>
// CHECK-NEXT: %[[RE:.*]] = stablehlo.subtract %[[A]], %[[B]] : tensor<4xf32>
// CHECK-NEXT: %[[C:.*]] = stablehlo.multiply %[[XR]], %[[YI]] : tensor<4xf32>
// CHECK-NEXT: %[[D:.*]] = stablehlo.multiply %[[XI]], %[[YR]] : tensor<4xf32>
// CHECK-NEXT: %[[IM:.*]] = stablehlo.add %[[C]], %[[D]] : tensor<4xf32>
// CHECK-NEXT: %[[R0:.*]] = stablehlo.reshape %[[RE]] : (tensor<4xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %[[R1:.*]] = stablehlo.reshape %[[IM]] : (tensor<4xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %[[R:.*]] = stablehlo.concatenate %[[R0]], %[[R1]], dim = 1
// CHECK-NEXT: return %[[R]] : tensor<4x2xf32>
func.func public @multiply(%x: tensor<4xcomplex<f32>>, %y: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %0 = stablehlo.multiply %x, %y : tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}

// -----

// Private functions take and return pairs, attributes once for each part; a call of the program itself joins them.

// CHECK-LABEL: func.func public @main
// CHECK-SAME: (%{{.*}}: tensor<2xf64>, %{{.*}}: tensor<i1>) -> (tensor<i1>, tensor<2xf64>)
// CHECK: %{{.*}}, %[[RE:.*]], %[[IM:.*]] = func.call @inner(%{{.*}}, %{{.*}}, %{{.*}}) : (tensor<i1>, tensor<f64>, tensor<f64>) -> (tensor<i1>, tensor<f64>, tensor<f64>)
// CHECK: %[[R:.*]] = stablehlo.concatenate
// CHECK: func.call @main(%[[R]], %{{.*}}) : (tensor<2xf64>, tensor<i1>) -> (tensor<i1>, tensor<2xf64>)
// CHECK: func.func private @inner
// CHECK-SAME: (%[[P:.*]]: tensor<i1>, %[[ZR:.*]]: tensor<f64> {a.b = 1 : i64}, %[[ZI:.*]]: tensor<f64> {a.b = 1 : i64}) -> (tensor<i1>, tensor<f64>, tensor<f64>)
// CHECK-NEXT: %[[N:.*]] = stablehlo.negate %[[ZI]] : tensor<f64>
// CHECK-NEXT: return %[[P]], %[[ZR]], %[[N]] : tensor<i1>, tensor<f64>, tensor<f64>
func.func public @main(%z: tensor<complex<f64>>, %p: tensor<i1>) -> (tensor<i1>, tensor<complex<f64>>) {
  %0:2 = func.call @inner(%p, %z) : (tensor<i1>, tensor<complex<f64>>) -> (tensor<i1>, tensor<complex<f64>>)
  %1:2 = func.call @main(%0#1, %0#0) : (tensor<complex<f64>>, tensor<i1>) -> (tensor<i1>, tensor<complex<f64>>)
  return %1#0, %1#1 : tensor<i1>, tensor<complex<f64>>
}
func.func private @inner(%p: tensor<i1>, %z: tensor<complex<f64>> {a.b = 1 : i64}) -> (tensor<i1>, tensor<complex<f64>>) {
  %0 = chlo.conj %z : tensor<complex<f64>> -> tensor<complex<f64>>
  return %p, %0 : tensor<i1>, tensor<complex<f64>>
}

// -----

// Carries, branch results and values from outside of a region are pairs, at the value's place.

// CHECK-LABEL: func.func private @loop
// CHECK-SAME: (%[[N:.*]]: tensor<i32>, %[[ZR:.*]]: tensor<3xf32>, %[[ZI:.*]]: tensor<3xf32>, %[[P:.*]]: tensor<i1>)
// CHECK: stablehlo.while(%[[I:.*]] = %[[N]], %[[CR:.*]] = %[[ZR]], %[[CI:.*]] = %[[ZI]]) : tensor<i32>, tensor<3xf32>, tensor<3xf32>
// CHECK: stablehlo.return %{{.*}} : tensor<i1>
// CHECK: %[[BR:.*]], %[[BI:.*]] = "stablehlo.if"(%[[P]]) ({
// CHECK-NEXT: %[[SR:.*]] = stablehlo.add %[[CR]], %[[ZR]] : tensor<3xf32>
// CHECK-NEXT: %[[SI:.*]] = stablehlo.add %[[CI]], %[[ZI]] : tensor<3xf32>
// CHECK-NEXT: stablehlo.return %[[SR]], %[[SI]] : tensor<3xf32>, tensor<3xf32>
// CHECK: stablehlo.return %[[CR]], %[[CI]] : tensor<3xf32>, tensor<3xf32>
// CHECK-NEXT: }) {note = "kept"} : (tensor<i1>) -> (tensor<3xf32>, tensor<3xf32>)
// CHECK: stablehlo.return %[[I]], %[[BR]], %[[BI]] : tensor<i32>, tensor<3xf32>, tensor<3xf32>
func.func private @loop(%n: tensor<i32>, %z: tensor<3xcomplex<f32>>, %p: tensor<i1>) -> tensor<3xcomplex<f32>> {
  %r:2 = stablehlo.while(%i = %n, %c = %z) : tensor<i32>, tensor<3xcomplex<f32>>
  cond {
    %t = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %t : tensor<i1>
  } do {
    %b = "stablehlo.if"(%p) ({
      %s = stablehlo.add %c, %z : tensor<3xcomplex<f32>>
      stablehlo.return %s : tensor<3xcomplex<f32>>
    }, {
      stablehlo.return %c : tensor<3xcomplex<f32>>
    }) {note = "kept"} : (tensor<i1>) -> tensor<3xcomplex<f32>>
    stablehlo.return %i, %b : tensor<i32>, tensor<3xcomplex<f32>>
  }
  return %r#1 : tensor<3xcomplex<f32>>
}

// -----

// Sums are taken of each part; the region of another reduction has both.

// CHECK-LABEL: func.func private @reductions
// CHECK-SAME: (%[[ZR:.*]]: tensor<4x8xf32>, %[[ZI:.*]]: tensor<4x8xf32>, %[[AR:.*]]: tensor<f32>, %[[AI:.*]]: tensor<f32>)
// CHECK-NEXT: stablehlo.reduce(%[[ZR]] init: %[[AR]]) applies stablehlo.add across dimensions = [1]
// CHECK-NEXT: stablehlo.reduce(%[[ZI]] init: %[[AI]]) applies stablehlo.add across dimensions = [1]
// CHECK-NEXT: stablehlo.reduce(%[[ZR]] init: %[[AR]]), (%[[ZI]] init: %[[AI]]) across dimensions = [1]
// CHECK: reducer(%[[PR:.*]]: tensor<f32>, %[[QR:.*]]: tensor<f32>) (%[[PI:.*]]: tensor<f32>, %[[QI:.*]]: tensor<f32>)
// CHECK-NEXT: %[[A:.*]] = stablehlo.multiply %[[PR]], %[[QR]] : tensor<f32>
// CHECK-NEXT: %[[B:.*]] = stablehlo.multiply %[[PI]], %[[QI]] : tensor<f32>
// CHECK-NEXT: stablehlo.subtract %[[A]], %[[B]] : tensor<f32>
func.func private @reductions(%z: tensor<4x8xcomplex<f32>>, %a: tensor<complex<f32>>) -> (tensor<4xcomplex<f32>>, tensor<4xcomplex<f32>>) {
  %0 = stablehlo.reduce(%z init: %a) applies stablehlo.add across dimensions = [1] : (tensor<4x8xcomplex<f32>>, tensor<complex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = stablehlo.reduce(%z init: %a) applies stablehlo.multiply across dimensions = [1] : (tensor<4x8xcomplex<f32>>, tensor<complex<f32>>) -> tensor<4xcomplex<f32>>
  return %0, %1 : tensor<4xcomplex<f32>>, tensor<4xcomplex<f32>>
}

// -----

// An assignment is one of each part.

// CHECK-LABEL: func.func private @assign
// CHECK-SAME: (%[[XR:.*]]: tensor<6xf32>, %[[XI:.*]]: tensor<6xf32>, %[[I:.*]]: tensor<2x1xi32>, %[[UR:.*]]: tensor<2xf32>, %[[UI:.*]]: tensor<2xf32>)
// CHECK: "stablehlo.scatter"(%[[XR]], %[[I]], %[[UR]])
// CHECK: ^{{.*}}(%{{.*}}: tensor<f32>, %[[V:.*]]: tensor<f32>):
// CHECK-NEXT: stablehlo.return %[[V]] : tensor<f32>
// CHECK: "stablehlo.scatter"(%[[XI]], %[[I]], %[[UI]])
func.func private @assign(%x: tensor<6xcomplex<f32>>, %i: tensor<2x1xi32>, %u: tensor<2xcomplex<f32>>) -> tensor<6xcomplex<f32>> {
  %r = "stablehlo.scatter"(%x, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
    stablehlo.return %b : tensor<complex<f32>>
  }) : (tensor<6xcomplex<f32>>, tensor<2x1xi32>, tensor<2xcomplex<f32>>) -> tensor<6xcomplex<f32>>
  return %r : tensor<6xcomplex<f32>>
}

// -----

// A comparator takes the two elements of each operand side by side: the real parts, then the imaginary ones.

// CHECK-LABEL: func.func private @sort
// CHECK-SAME: (%[[ZR:.*]]: tensor<8xf32>, %[[ZI:.*]]: tensor<8xf32>, %[[K:.*]]: tensor<8xi32>)
// CHECK: "stablehlo.sort"(%[[ZR]], %[[ZI]], %[[K]]) <{dimension = 0 : i64, is_stable = true}>
// CHECK: ^{{.*}}(%[[AR:.*]]: tensor<f32>, %[[BR:.*]]: tensor<f32>, %[[AI:.*]]: tensor<f32>, %[[BI:.*]]: tensor<f32>, %{{.*}}: tensor<i32>, %{{.*}}: tensor<i32>):
// CHECK-NEXT: %[[L:.*]] = stablehlo.compare LT, %[[AR]], %[[BR]], FLOAT
// CHECK-NEXT: %[[E:.*]] = stablehlo.compare EQ, %[[AR]], %[[BR]], FLOAT
// CHECK-NEXT: %[[M:.*]] = stablehlo.compare LE, %[[AI]], %[[BI]], FLOAT
// CHECK-NEXT: %[[T:.*]] = stablehlo.and %[[E]], %[[M]]
// CHECK-NEXT: %[[R:.*]] = stablehlo.or %[[L]], %[[T]]
// CHECK-NEXT: stablehlo.return %[[R]] : tensor<i1>
func.func private @sort(%z: tensor<8xcomplex<f32>>, %k: tensor<8xi32>) -> (tensor<8xcomplex<f32>>, tensor<8xi32>) {
  %r:2 = "stablehlo.sort"(%z, %k) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>, %i: tensor<i32>, %j: tensor<i32>):
    %c = stablehlo.compare LE, %a, %b, FLOAT : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  }) : (tensor<8xcomplex<f32>>, tensor<8xi32>) -> (tensor<8xcomplex<f32>>, tensor<8xi32>)
  return %r#0, %r#1 : tensor<8xcomplex<f32>>, tensor<8xi32>
}

// -----

// A contraction is four real ones with the same precision.

// CHECK-LABEL: func.func private @dot
// CHECK-SAME: (%[[XR:.*]]: tensor<2x3xf32>, %[[XI:.*]]: tensor<2x3xf32>, %[[YR:.*]]: tensor<3x4xf32>, %[[YI:.*]]: tensor<3x4xf32>)
// CHECK-NEXT: %[[A:.*]] = stablehlo.dot_general %[[XR]], %[[YR]], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST]
// CHECK-NEXT: %[[B:.*]] = stablehlo.dot_general %[[XI]], %[[YI]], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST]
// CHECK-NEXT: %[[RE:.*]] = stablehlo.subtract %[[A]], %[[B]]
// CHECK-NEXT: %[[C:.*]] = stablehlo.dot_general %[[XR]], %[[YI]], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST]
// CHECK-NEXT: %[[D:.*]] = stablehlo.dot_general %[[XI]], %[[YR]], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST]
// CHECK-NEXT: %[[IM:.*]] = stablehlo.add %[[C]], %[[D]]
// CHECK-NEXT: return %[[RE]], %[[IM]]
func.func private @dot(%x: tensor<2x3xcomplex<f32>>, %y: tensor<3x4xcomplex<f32>>) -> tensor<2x4xcomplex<f32>> {
  %r = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<2x3xcomplex<f32>>, tensor<3x4xcomplex<f32>>) -> tensor<2x4xcomplex<f32>>
  return %r : tensor<2x4xcomplex<f32>>
}

// -----

// Constants are split; what is real stays and has no imaginary part; `real`, `imag` and `complex` cost nothing.

// CHECK-LABEL: func.func private @parts
// CHECK-SAME: (%[[X:.*]]: tensor<2xi32>, %[[ZR:.*]]: tensor<2xf32>, %[[ZI:.*]]: tensor<2xf32>)
// CHECK-NEXT: %[[CR:.*]] = stablehlo.constant dense<[1.000000e+00, 3.000000e+00]> : tensor<2xf32>
// CHECK-NEXT: %[[CI:.*]] = stablehlo.constant dense<[2.000000e+00, -4.000000e+00]> : tensor<2xf32>
// CHECK-NEXT: %[[R:.*]] = stablehlo.convert %[[X]] : (tensor<2xi32>) -> tensor<2xf32>
// CHECK-NEXT: %[[Z:.*]] = stablehlo.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT: %[[I:.*]] = stablehlo.broadcast_in_dim %[[Z]], dims = []
// CHECK-NEXT: return %[[CR]], %[[CI]], %[[R]], %[[I]], %[[ZI]], %[[ZR]] :
func.func private @parts(%x: tensor<2xi32>, %z: tensor<2xcomplex<f32>>) -> (tensor<2xcomplex<f32>>, tensor<2xcomplex<f32>>, tensor<2xcomplex<f32>>) {
  %c = stablehlo.constant dense<[(1.0, 2.0), (3.0, -4.0)]> : tensor<2xcomplex<f32>>
  %r = stablehlo.convert %x : (tensor<2xi32>) -> tensor<2xcomplex<f32>>
  %re = stablehlo.real %z : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %im = stablehlo.imag %z : (tensor<2xcomplex<f32>>) -> tensor<2xf32>
  %s = stablehlo.complex %im, %re : tensor<2xcomplex<f32>>
  return %c, %r, %s : tensor<2xcomplex<f32>>, tensor<2xcomplex<f32>>, tensor<2xcomplex<f32>>
}

// -----

// The halves of a wide part are a narrow number.

// CHECK-LABEL: func.func private @bits
// CHECK-SAME: (%[[ZR:.*]]: tensor<3xf64>, %[[ZI:.*]]: tensor<3xf64>)
// CHECK-NEXT: %[[A:.*]] = stablehlo.bitcast_convert %[[ZR]] : (tensor<3xf64>) -> tensor<3x2xf32>
// CHECK-NEXT: %[[B:.*]] = stablehlo.bitcast_convert %[[ZI]] : (tensor<3xf64>) -> tensor<3x2xf32>
// CHECK-NEXT: stablehlo.slice %[[A]] [0:3, 0:1]
func.func private @bits(%z: tensor<3xcomplex<f64>>) -> tensor<3x2xcomplex<f32>> {
  %r = stablehlo.bitcast_convert %z : (tensor<3xcomplex<f64>>) -> tensor<3x2xcomplex<f32>>
  return %r : tensor<3x2xcomplex<f32>>
}

// -----

// Nothing complex, nothing changed.

// CHECK-LABEL: func.func public @real
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32> {a.b}) -> tensor<4xf32>
// CHECK-NEXT: %[[R:.*]] = stablehlo.abs %[[X]]
// CHECK-NEXT: return %[[R]]
func.func public @real(%x: tensor<4xf32> {a.b}) -> tensor<4xf32> {
  %0 = stablehlo.abs %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// The parts of a real number are itself and zero.
// CHECK-LABEL: func.func @of_reals
func.func @of_reals(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  // CHECK: %[[ZERO:.*]] = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  // CHECK: %[[IM:.*]] = stablehlo.broadcast_in_dim %[[ZERO]]
  // CHECK: return %x, %[[IM]]
  %re = stablehlo.real %x : tensor<3xf32>
  %im = stablehlo.imag %x : tensor<3xf32>
  return %re, %im : tensor<3xf32>, tensor<3xf32>
}
