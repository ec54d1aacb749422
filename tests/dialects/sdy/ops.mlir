// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// CHECK: sdy.mesh @mesh = <["a"=2, "b"=4]> {stablehlo.mesh = {axes = []}}
sdy.mesh @mesh = <["a"=2, "b"=4]> {stablehlo.mesh = {axes = []}}
// CHECK: sdy.mesh @reversed = <["a"=2], device_ids=[1, 0]>
sdy.mesh @reversed = <["a"=2], device_ids=[1, 0]>
// CHECK: sdy.mesh @maximal = <[], device_ids=[3]>
sdy.mesh @maximal = <[], device_ids=[3]>

// CHECK-LABEL: func.func @shardings(
// CHECK-SAME:    %x: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}, {"b", ?}p1], replicated={"c":(1)2}, unreduced={"d"}>}
func.func @shardings(%x: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}, {"b", ?}p1], replicated={"c":(1)2}, unreduced={"d"}>}) {
  // CHECK: %0 = sdy.sharding_constraint %x <@mesh, [{"a", "b":(2)2}, {?}]> : tensor<8x16xf32>
  %0 = sdy.sharding_constraint %x <@mesh, [{"a", "b":(2)2}, {?}]> : tensor<8x16xf32>
  // CHECK: %1 = sdy.reshard %0 <mesh<["z"=2]>, [{}, {"z"}]> {k.l} : tensor<8x16xf32>
  %1 = sdy.reshard %0 <mesh<["z"=2]>, [{}, {"z"}]> {k.l} : tensor<8x16xf32>
  // CHECK: stablehlo.custom_call @f(%1) {sdy.sharding = #sdy.sharding_per_value<[<@maximal, []>, <@mesh, [{}]>]>, sdy.sharding_rule = #sdy.op_sharding_rule<([i, j])->([i, k]) {i=8, j=16, k=2}, custom>} : (tensor<8x16xf32>) -> ()
  stablehlo.custom_call @f(%1) {sdy.sharding = #sdy.sharding_per_value<[<@maximal, []>, <@mesh, [{}]>]>, sdy.sharding_rule = #sdy.op_sharding_rule<([i, j])->([i, k]) {i=8, j=16, k=2}, custom>} : (tensor<8x16xf32>) -> ()
  // CHECK: %2 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}, {}]>] out_shardings=[<@mesh, [{"a"}, {}]>] manual_axes={"a"} (%part: tensor<4x16xf32>) {
  // CHECK-NEXT: sdy.return %part : tensor<4x16xf32>
  // CHECK-NEXT: } : (tensor<8x16xf32>) -> tensor<8x16xf32>
  %2 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}, {}]>] out_shardings=[<@mesh, [{"a"}, {}]>] manual_axes={"a"} (%part: tensor<4x16xf32>) {
    sdy.return %part : tensor<4x16xf32>
  } : (tensor<8x16xf32>) -> tensor<8x16xf32>
  // CHECK: sdy.manual_computation() in_shardings=[] out_shardings=[] manual_axes={} () {
  sdy.manual_computation() in_shardings=[] out_shardings=[] manual_axes={} () {
    sdy.return
  } : () -> ()
  return
}
