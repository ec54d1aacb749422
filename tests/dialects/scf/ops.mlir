// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @forall
func.func @forall(%d: tensor<4x8xf32>, %n: index, %v: tensor<1x8xf32>) -> tensor<4x8xf32> {
  // CHECK: %{{.*}} = scf.forall (%i) in (4) shared_outs(%o = %d) -> (tensor<4x8xf32>) {
  // CHECK-NEXT: scf.forall.in_parallel {
  // CHECK-NEXT: tensor.parallel_insert_slice %v into %o[%i, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<4x8xf32>
  %r = scf.forall (%i) in (4) shared_outs(%o = %d) -> (tensor<4x8xf32>) {
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %v into %o[%i, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<4x8xf32>
    }
  }
  // CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%n, 3) {
  // CHECK: } {mapping = [#kernel.level<subgroup>]}
  scf.forall (%i, %j) in (%n, 3) {
  } {mapping = [#kernel.level<subgroup>]}
  // CHECK: scf.forall (%{{.*}}) in (2) {
  // CHECK-NEXT: scf.forall (%{{.*}}) in (8) {
  // CHECK-NEXT: } {mapping = [#kernel.level<subgroup>]}
  // CHECK-NEXT: } {mapping = [#kernel.level<block>]}
  scf.forall (%b) in (2) {
    scf.forall (%w) in (8) {
    } {mapping = [#kernel.level<subgroup>]}
  } {mapping = [#kernel.level<block>]}
  // CHECK: } {mapping = [#kernel.level<thread>]}
  scf.forall (%t) in (%n) {
  } {mapping = [#kernel.level<thread>]}
  // CHECK: scf.forall (%{{.*}}) = (2) to (%n) step (2) {
  scf.forall (%i) = (2) to (%n) step (2) {
    scf.forall.in_parallel {
    }
  }
  func.return %r : tensor<4x8xf32>
}
