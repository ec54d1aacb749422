// RUN: stepwell-opt %s --raise-to-affine | filecheck %s

// CHECK-LABEL: func.func @shift
// CHECK:         affine.for %i = 0 to 8 {
// CHECK-NEXT:      affine.for %j = 2 to 6 step 2 {
// CHECK-NEXT:        %[[V:.*]] = affine.load %a[%j + %i * 4 + 1] : memref<64xf32>
// CHECK-NEXT:        affine.store %[[V]], %b[%i, %j] : memref<8x8xf32>
// CHECK-NEXT:      }
func.func @shift(%a: memref<64xf32>, %b: memref<8x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c6 = arith.constant 6 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    scf.for %j = %c2 to %c6 step %c2 {
      %0 = arith.muli %i, %c4 : index
      %1 = arith.addi %j, %0 : index
      %2 = arith.addi %1, %c1 : index
      %v = memref.load %a[%2] : memref<64xf32>
      memref.store %v, %b[%i, %j] : memref<8x8xf32>
    }
  }
  func.return
}

// An index that was loaded is not affine, a bound that is an argument no constant.

// CHECK-LABEL: func.func @stays
// CHECK:         scf.for %i = %{{.*}} to %n step %{{.*}} {
// CHECK:           memref.load %a[%i]
// CHECK:         affine.for %j = 0 to 8 iter_args(%s = %z) -> (f32) {
// CHECK:           %[[K:.*]] = affine.load %x[%j]
// CHECK:           memref.load %a[%[[K]]]
// CHECK:           affine.yield %{{.*}} : f32
func.func @stays(%a: memref<64xf32>, %x: memref<8xindex>, %n: index, %z: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %n step %c1 {
    %v = memref.load %a[%i] : memref<64xf32>
  }
  %r = scf.for %j = %c0 to %c8 step %c1 iter_args(%s = %z) -> (f32) {
    %k = memref.load %x[%j] : memref<8xindex>
    %v = memref.load %a[%k] : memref<64xf32>
    %t = arith.addf %s, %v : f32
    scf.yield %t : f32
  }
  func.return %r : f32
}

// Tasks of mapped loops keep who does them and what they wait for; their numbers are no indices of affine loops.

// CHECK-LABEL: kernel.func @tasks
// CHECK:         scf.forall (%[[B:.*]]) in (4) {
// CHECK:           %[[S:.*]] = memref.alloca() {scratch = #kernel.scratch<block>} : memref<2x8xf32>
// CHECK:           affine.for %[[K:.*]] = 0 to 8 {
// CHECK:             scf.forall (%[[W:.*]]) in (2) {
// CHECK:               memref.load %[[S]][%[[W]], %[[K]]]
// CHECK:               affine.store %{{.*}}, %x[%[[K]]]
// CHECK:             } {wait = 1 : i64, mapping = [#kernel.level<subgroup>]}
// CHECK:           }
// CHECK:         } {mapping = [#kernel.level<block>]}
kernel.func @tasks(%x: memref<8xf32>) attributes {access = ["readwrite"]} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.forall (%b) in (4) {
    %s = memref.alloca() {scratch = #kernel.scratch<block>} : memref<2x8xf32>
    scf.for %k = %c0 to %c8 step %c1 {
      scf.forall (%w) in (2) {
        %v = memref.load %s[%w, %k] : memref<2x8xf32>
        memref.store %v, %x[%k] : memref<8xf32>
      } {mapping = [#kernel.level<subgroup>], wait = 1 : i64}
    }
  } {mapping = [#kernel.level<block>]}
  kernel.return
}
