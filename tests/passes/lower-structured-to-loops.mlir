// RUN: stepwell-opt %s --lower-structured-to-loops --split-input-file | filecheck %s

// The dimension that is replaced whole needs no index.

// CHECK-LABEL: func.func @update
// CHECK:         %[[L:.*]] = memref.load %i[] : memref<i32>
// CHECK:         %[[I:.*]] = arith.index_cast %[[L]] : i32 to index
// CHECK:         %[[A:.*]] = arith.maxsi %[[I]], %{{.*}} : index
// CHECK:         %[[B:.*]] = arith.minsi %[[A]], %{{.*}} : index
// CHECK:         %[[S:.*]] = memref.subview %x[%[[B]], 0] [2, 6] [1, 1] : memref<8x6xf32> to memref<2x6xf32, strided<[6, 1], offset: ?>>
// CHECK:         "memref.copy"(%u, %[[S]])
func.func @update(%u: memref<2x6xf32>, %i: memref<i32>, %x: memref<8x6xf32>) {
  structured.update_slice ins(%u, %i, %i : memref<2x6xf32>, memref<i32>, memref<i32>) outs(%x : memref<8x6xf32>)
  func.return
}

// -----

// An update outside of the destination is dropped.

// CHECK-LABEL: func.func @scatter
// CHECK:         scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK:           %[[L:.*]] = memref.load %i[%[[K]]] : memref<4xi32>
// CHECK:           %[[T:.*]] = arith.index_cast %[[L]] : i32 to index
// CHECK:           %[[IN:.*]] = arith.cmpi ult, %[[T]], %{{.*}} : index
// CHECK:           scf.if %[[IN]] {
// CHECK:             %[[OLD:.*]] = memref.load %x[%[[T]]] : memref<6xf32>
// CHECK:             %[[NEW:.*]] = memref.load %u[%[[K]]] : memref<4xf32>
// CHECK:             %[[R:.*]] = arith.addf %[[OLD]], %[[NEW]] : f32
// CHECK:             memref.store %[[R]], %x[%[[T]]] : memref<6xf32>
func.func @scatter(%i: memref<4xi32>, %u: memref<4xf32>, %x: memref<6xf32>) {
  structured.scatter ins(%i, %u : memref<4xi32>, memref<4xf32>) outs(%x : memref<6xf32>)
    {update_window_dims = array<i64>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>,
     scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64} {
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %a, %b : f32
    structured.yield %r : f32
  }
  func.return
}

// -----

// Prefixes within a vector by moves of 1 and 2 lanes; what is before it goes into all lanes.

// CHECK-LABEL: func.func @scan
// CHECK:         %[[N:.*]] = arith.constant dense<-0.000000e+00> : vector<4xf32>
// CHECK:         scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[B:.*]] = %{{.*}}) -> (vector<4xf32>) {
// CHECK:           %[[X:.*]] = vector.load %x[%{{.*}}, %{{.*}}] : memref<3x8xf32>, vector<4xf32>
// CHECK-NEXT:      %[[M:.*]] = vector.shuffle %[[X]], %[[N]] [4, 0, 1, 2] : vector<4xf32>, vector<4xf32>
// CHECK-NEXT:      %[[P:.*]] = arith.addf %[[M]], %[[X]] : vector<4xf32>
// CHECK-NEXT:      %[[O:.*]] = vector.shuffle %[[P]], %[[N]] [4, 5, 0, 1] : vector<4xf32>, vector<4xf32>
// CHECK-NEXT:      %[[Q:.*]] = arith.addf %[[O]], %[[P]] : vector<4xf32>
// CHECK-NEXT:      %[[R:.*]] = arith.addf %[[B]], %[[Q]] : vector<4xf32>
// CHECK-NEXT:      vector.store %[[R]], %y
// CHECK-NEXT:      %[[L:.*]] = vector.shuffle %[[Q]], %[[Q]] [3, 3, 3, 3] : vector<4xf32>, vector<4xf32>
// CHECK-NEXT:      %[[A:.*]] = arith.addf %[[B]], %[[L]] : vector<4xf32>
// CHECK-NEXT:      scf.yield %[[A]] : vector<4xf32>
func.func @scan(%x: memref<3x8xf32>, %i: memref<f32>, %y: memref<3x8xf32>) {
  structured.scan ins(%x, %i : memref<3x8xf32>, memref<f32>) outs(%y : memref<3x8xf32>)
      {dimension = 1 : i64, vector = 16 : i64, neutral = -0.0 : f32} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    structured.yield %s : f32
  }
  func.return
}
