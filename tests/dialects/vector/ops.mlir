// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @contract
func.func @contract(%a: vector<14x1xf32>, %b: vector<1x32xf32>, %c: vector<14x32xf32>, %t: tensor<8xf32>, %m: memref<8xf32>) {
  // CHECK: vector.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, {{.*}}], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %a, %b, %c : vector<14x1xf32>, vector<1x32xf32> into vector<14x32xf32>
  %0 = vector.contract {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %a, %b, %c : vector<14x1xf32>, vector<1x32xf32> into vector<14x32xf32>
  // CHECK: vector.transpose %{{.*}}, [1, 0] : vector<14x32xf32> to vector<32x14xf32>
  %1 = vector.transpose %0, [1, 0] : vector<14x32xf32> to vector<32x14xf32>
  // CHECK: vector.shape_cast %{{.*}} : vector<32x14xf32> to vector<448xf32>
  %2 = vector.shape_cast %1 : vector<32x14xf32> to vector<448xf32>
  // CHECK: vector.extract_strided_slice %{{.*}} {offsets = [8 : i64], sizes = [8 : i64], strides = [1 : i64]} : vector<448xf32> to vector<8xf32>
  %3 = vector.extract_strided_slice %2 {offsets = [8], sizes = [8], strides = [1]} : vector<448xf32> to vector<8xf32>
  // CHECK: vector.insert_strided_slice %{{.*}}, %{{.*}} {offsets = [2 : i64], strides = [1 : i64]} : vector<8xf32> into vector<448xf32>
  %4 = vector.insert_strided_slice %3, %2 {offsets = [2], strides = [1]} : vector<8xf32> into vector<448xf32> -> vector<448xf32>
  // CHECK: vector.outerproduct %{{.*}}, %{{.*}} {kind = #vector.kind<add>} : vector<8xf32>, vector<8xf32>
  %5 = vector.outerproduct %3, %3 : vector<8xf32>, vector<8xf32>
  %6 = vector.outerproduct %3, %3, %5 {kind = #vector.kind<add>} : vector<8xf32>, vector<8xf32>
  // CHECK: vector.multi_reduction <add>, %{{.*}}, %{{.*}} [0] : vector<8x8xf32> to vector<8xf32>
  %7 = vector.multi_reduction <add>, %6, %3 [0] : vector<8x8xf32> to vector<8xf32>
  // CHECK: vector.constant_mask [3] : vector<8xi1>
  %mask = vector.constant_mask [3] : vector<8xi1>
  // CHECK: vector.step : vector<8xindex>
  %step = vector.step : vector<8xindex>
  %c0 = arith.constant 0 : index
  // CHECK: vector.gather %t[%{{.*}}] [%{{.*}}], %{{.*}}, %{{.*}} : tensor<8xf32>, vector<8xindex>, vector<8xi1>, vector<8xf32> into vector<8xf32>
  %8 = vector.gather %t[%c0] [%step], %mask, %7 : tensor<8xf32>, vector<8xindex>, vector<8xi1>, vector<8xf32> into vector<8xf32>
  // CHECK: vector.scatter %t[%{{.*}}] [%{{.*}}], %{{.*}}, %{{.*}} : tensor<8xf32>, vector<8xindex>, vector<8xi1>, vector<8xf32> -> tensor<8xf32>
  %9 = vector.scatter %t[%c0] [%step], %mask, %8 : tensor<8xf32>, vector<8xindex>, vector<8xi1>, vector<8xf32> -> tensor<8xf32>
  // CHECK: vector.scatter %m[%{{.*}}] [%{{.*}}], %{{.*}}, %{{.*}} : memref<8xf32>, vector<8xindex>, vector<8xi1>, vector<8xf32>
  vector.scatter %m[%c0] [%step], %mask, %8 : memref<8xf32>, vector<8xindex>, vector<8xi1>, vector<8xf32>
  func.return
}

// A transfer's other attributes stay.

// CHECK-LABEL: func.func @transfers
func.func @transfers(%x: tensor<8xf32>, %o: tensor<8xf32>, %i: index, %z: f32) -> tensor<8xf32> {
  // CHECK: vector.transfer_read %x[%i], %z {alignment = 16 : i64, in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
  %v = vector.transfer_read %x[%i], %z {in_bounds = [true], alignment = 16 : i64} : tensor<8xf32>, vector<8xf32>
  // CHECK: vector.transfer_write %v, %o[%i] {async, in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
  %r = vector.transfer_write %v, %o[%i] {in_bounds = [true], async} : vector<8xf32>, tensor<8xf32>
  func.return %r : tensor<8xf32>
}
