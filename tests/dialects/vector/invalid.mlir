// RUN: stepwell-opt %s --verify-diagnostics --split-input-file

func.func @f(%a: vector<4x1xf32>, %b: vector<2x8xf32>, %c: vector<4x8xf32>) {
  // expected-error @+1 {{vector.contract: C2: iterator d2 has extents 1 and 2}}
  %0 = vector.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %a, %b, %c : vector<4x1xf32>, vector<2x8xf32> into vector<4x8xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x8xf32>) {
  // expected-error @+1 {{vector.transpose: C1}}
  %0 = vector.transpose %a, [0, 0] : vector<4x8xf32> to vector<4x4xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x8xf32>) {
  // expected-error @+1 {{vector.shape_cast: C1}}
  %0 = vector.shape_cast %a : vector<4x8xf32> to vector<31xf32>
  func.return
}

// -----

func.func @f(%t: tensor<4x8xf32>, %i: index, %o: vector<4xi32>, %m: vector<4xi1>, %p: vector<4xf32>) {
  // expected-error @+1 {{vector.gather: C1: 1 indices for tensor<4x8xf32>}}
  %0 = vector.gather %t[%i] [%o], %m, %p : tensor<4x8xf32>, vector<4xi32>, vector<4xi1>, vector<4xf32> into vector<4xf32>
  func.return
}

// -----

func.func @f(%t: memref<8xf32>, %i: index, %o: vector<4xi32>, %m: vector<3xi1>, %p: vector<4xf32>) {
  // expected-error @+1 {{vector.scatter: C2}}
  vector.scatter %t[%i] [%o], %m, %p : memref<8xf32>, vector<4xi32>, vector<3xi1>, vector<4xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x8xf32>, %c: vector<8xf32>) {
  // expected-error @+1 {{vector.multi_reduction: C1}}
  %0 = vector.multi_reduction <add>, %a, %c [1] : vector<4x8xf32> to vector<8xf32>
  func.return
}

// -----

func.func @f(%a: vector<4xf32>) {
  // expected-error @+1 {{vector.extract_strided_slice: C1}}
  %0 = vector.extract_strided_slice %a {offsets = [2], sizes = [3], strides = [1]} : vector<4xf32> to vector<3xf32>
  func.return
}

// -----

func.func @f(%a: vector<4xf32>, %b: vector<5xf32>) {
  // expected-error @+1 {{vector.insert_strided_slice: C1}}
  %0 = vector.insert_strided_slice %a, %b {offsets = [2], strides = [1]} : vector<4xf32> into vector<5xf32> -> vector<5xf32>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{vector.constant_mask: C1}}
  %0 = vector.constant_mask [9] : vector<8xi1>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{vector.step: C1}}
  %0 = vector.step : vector<8xf32>
  func.return
}
