// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @per_tensor
// CHECK-SAME: tensor<2x!quant.uniform<i8:f32, 2.0:15>>
// CHECK-SAME: tensor<2x!quant.uniform<u8:bf16, 0.1>>
// CHECK-SAME: tensor<!quant.uniform<i4:f16, 1.5:-3>>
// CHECK-SAME: tensor<!quant.uniform<i32:f64, 1.0e-20>>
func.func @per_tensor(
  %a: tensor<2x!quant.uniform<i8:f32, 2.000000e+00:15>>, %b: tensor<2x!quant.uniform<u8:bf16, 0.1:0>>,
  %c: tensor<!quant.uniform<i4:f16, 1.5:-3>>, %d: tensor<!quant.uniform<si32:f64, 1.0e-20>>
) {
  return
}

// The range is written when it is not the storage's own.
// CHECK-LABEL: func.func @ranges
// CHECK-SAME: tensor<2x!quant.uniform<i8:f32, 2.0>>
// CHECK-SAME: tensor<2x!quant.uniform<i8<-127:127>:f32, 2.0>>
// CHECK-SAME: tensor<2x!quant.uniform<u4<1:15>:f32, 2.0:1>>
func.func @ranges(
  %a: tensor<2x!quant.uniform<i8<-128:127>:f32, 2.0>>, %b: tensor<2x!quant.uniform<i8<-127:127>:f32, 2.0>>,
  %c: tensor<2x!quant.uniform<ui4<1:15>:f32, 2.0:1>>
) {
  return
}

// CHECK-LABEL: func.func @per_axis
// CHECK-SAME: tensor<4x3x!quant.uniform<i8:f32:1, {0.1:-3, 0.2, 0.3:4}>>
// CHECK-SAME: tensor<?x1x!quant.uniform<i16<-5:5>:f32:1, {0.1}>>
// CHECK-SAME: tensor<4x?x!quant.uniform<i8:f32:1, {0.1, 0.2}>>
func.func @per_axis(
  %a: tensor<4x3x!quant.uniform<i8:f32:1, {0.1:-3, 0.2, 0.3:4}>>, %b: tensor<?x1x!quant.uniform<i16<-5:5>:f32:1, {0.1:0}>>,
  %c: tensor<4x?x!quant.uniform<i8:f32:1, {0.1, 0.2}>>
) {
  return
}

// CHECK-LABEL: func.func @conversions
func.func @conversions(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: stablehlo.constant() <{value = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 2.0:15>>
  %c = stablehlo.constant() <{value = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2x!quant.uniform<i8:f32, 2.0:15>>
  // CHECK: stablehlo.constant() <{value = dense<3> : tensor<ui8>}> {note = "u"} : () -> tensor<!quant.uniform<u8:f32, 2.0:15>>
  %u = "stablehlo.constant"() <{value = dense<3> : tensor<ui8>}> {note = "u"} : () -> tensor<!quant.uniform<u8:f32, 2.0:15>>
  // CHECK: stablehlo.uniform_quantize %{{.*}} : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32:0, {0.1, 0.5}>>
  %q = stablehlo.uniform_quantize %x : (tensor<2xf32>) -> tensor<2x!quant.uniform<i8:f32:0, {0.1, 0.5}>>
  // CHECK: stablehlo.add %{{.*}}, %{{.*}} : (tensor<2x!quant.uniform<i8:f32:0, {0.1, 0.5}>>, tensor<2x!quant.uniform<i8:f32, 2.0:15>>) -> tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>
  %s = stablehlo.add %q, %c : (tensor<2x!quant.uniform<i8:f32:0, {0.1, 0.5}>>, tensor<2x!quant.uniform<i8:f32, 2.0:15>>) -> tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>
  // CHECK: stablehlo.uniform_dequantize %{{.*}} : (tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>) -> tensor<2xf32>
  %d = stablehlo.uniform_dequantize %s : (tensor<2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>) -> tensor<2xf32>
  return %d : tensor<2xf32>
}
