// RUN: stepwell-opt %s --apply-schedule --split-input-file | filecheck %s

// Bytes with signs, four at once: A is packed with its signs flipped, B as words of four rows, and sums start with what flipped
// signs add to them, negative. The 30 terms take 8 words.
// CHECK-LABEL: kernel.func @bytes
// CHECK-DAG: %[[TIMES:.*]] = arith.constant dense<-128> : vector<1x32xi32>
// CHECK-DAG: %[[SIGNS:.*]] = arith.constant dense<-2139062144> : vector<13x8xi32>
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<1x8x32xi32>
// CHECK: vector.transfer_read %B{{.*}} : tensor<30x32xi8>, vector<32xi8>
// CHECK: arith.shli
// CHECK: arith.ori
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<1x32xi32>
// CHECK: kernel.dot %{{.*}}, %{{.*}}, %{{.*}} {lhs_factor = ui8, rhs_factor = si8} : vector<1x1xi32>, vector<1x32xi32>, vector<1x32xi32>
// CHECK: arith.muli %{{.*}}, %[[TIMES]]
// CHECK: tensor.empty() {scratch = #kernel.scratch<worker>} : tensor<13x16xi32>
// CHECK: vector.transfer_read %A{{.*}} : tensor<13x30xi8>, vector<13x30xi8>
// CHECK: vector.bitcast %{{.*}} : vector<13x32xi8> to vector<13x8xi32>
// CHECK: arith.xori %{{.*}}, %[[SIGNS]]
// CHECK: arith.addi %{{.*}} : vector<13x32xi32>
// CHECK: kernel.dot %{{.*}}, %{{.*}}, %{{.*}} {lhs_factor = ui8, rhs_factor = si8} : vector<13x1xi32>, vector<1x32xi32>, vector<13x32xi32>
kernel.func @bytes(%A: tensor<13x30xi8>, %B: tensor<30x32xi8>, %o: tensor<13x32xi32>) -> tensor<13x32xi32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, mr = 13 : i64, nr = 32 : i64, k_unroll = 4 : i64, word = 4 : i64}>} {
  %e = tensor.empty() : tensor<13x32xi32>
  %c = arith.constant 0 : i32
  %f = linalg.fill ins(%c : i32) outs(%e : tensor<13x32xi32>) -> tensor<13x32xi32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<13x30xi8>, tensor<30x32xi8>) outs(%f : tensor<13x32xi32>) {
  ^bb0(%a: i8, %b: i8, %d: i32):
    %x = arith.extsi %a : i8 to i32
    %y = arith.extsi %b : i8 to i32
    %p = arith.muli %x, %y : i32
    %s = arith.addi %d, %p : i32
    linalg.yield %s : i32
  } -> tensor<13x32xi32>
  kernel.return %r : tensor<13x32xi32>
}

// -----

// Bytes without signs times bytes with: A is read where it is, and nothing is flipped.
// CHECK-LABEL: kernel.func @mixed
// CHECK-NOT: arith.xori
// CHECK: %[[A:.*]] = vector.transfer_read %A{{.*}} : tensor<13x32xi8>, vector<13x4xi8>
// CHECK: vector.bitcast %[[A]] : vector<13x4xi8> to vector<13x1xi32>
// CHECK: kernel.dot {{.*}} {lhs_factor = ui8, rhs_factor = si8}
kernel.func @mixed(%A: tensor<13x32xi8>, %B: tensor<32x32xi8>, %o: tensor<13x32xi32>) -> tensor<13x32xi32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 64 : i64, mr = 13 : i64, nr = 32 : i64, pack_a = 0 : i64, word = 4 : i64}>} {
  %e = tensor.empty() : tensor<13x32xi32>
  %c = arith.constant 0 : i32
  %f = linalg.fill ins(%c : i32) outs(%e : tensor<13x32xi32>) -> tensor<13x32xi32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<13x32xi8>, tensor<32x32xi8>) outs(%f : tensor<13x32xi32>) {
  ^bb0(%a: i8, %b: i8, %d: i32):
    %x = arith.extui %a : i8 to i32
    %y = arith.extsi %b : i8 to i32
    %p = arith.muli %x, %y : i32
    %s = arith.addi %d, %p : i32
    linalg.yield %s : i32
  } -> tensor<13x32xi32>
  kernel.return %r : tensor<13x32xi32>
}

// -----

// B along its rows: words as they lie, turned in registers; as halves each byte is widened first.
// CHECK-LABEL: kernel.func @along
// CHECK: vector.transfer_read %B{{.*}} : tensor<16x32xi8>, vector<8x16xi8>
// CHECK: arith.extsi %{{.*}} : vector<8x16xi8> to vector<8x16xi16>
// CHECK: vector.bitcast %{{.*}} : vector<8x16xi16> to vector<8x8xi32>
// CHECK: vector.transpose %{{.*}}, [1, 0] : vector<8x8xi32> to vector<8x8xi32>
// CHECK: kernel.dot {{.*}} {lhs_factor = si16, rhs_factor = si16}
kernel.func @along(%A: tensor<6x32xi8>, %B: tensor<16x32xi8>, %o: tensor<6x16xi32>) -> tensor<6x16xi32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 32 : i64, mr = 6 : i64, nr = 16 : i64, word = 2 : i64}>} {
  %e = tensor.empty() : tensor<6x16xi32>
  %c = arith.constant 0 : i32
  %f = linalg.fill ins(%c : i32) outs(%e : tensor<6x16xi32>) -> tensor<6x16xi32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%A, %B : tensor<6x32xi8>, tensor<16x32xi8>) outs(%f : tensor<6x16xi32>) {
  ^bb0(%a: i8, %b: i8, %d: i32):
    %x = arith.extsi %a : i8 to i32
    %y = arith.extsi %b : i8 to i32
    %p = arith.muli %x, %y : i32
    %s = arith.addi %d, %p : i32
    linalg.yield %s : i32
  } -> tensor<6x16xi32>
  kernel.return %r : tensor<6x16xi32>
}
