// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// Literals of all element types, in every form they are written in.

// CHECK-LABEL: func.func @hexadecimal(
func.func @hexadecimal() {
  // CHECK: dense<[true, false, true]> : tensor<3xi1>
  %0 = stablehlo.constant dense<"0x010001"> : tensor<3xi1>
  // CHECK: dense<true> : tensor<3xi1>
  %1 = stablehlo.constant dense<"0xFF"> : tensor<3xi1>
  // Older texts pack eight booleans in a byte.
  // CHECK: dense<[true, false, true, false, false, false, false, false, true, true, false, false]> : tensor<12xi1>
  %2 = stablehlo.constant dense<"0x0503"> : tensor<12xi1>
  // CHECK: dense<[-1, 7]> : tensor<2xi4>
  %3 = stablehlo.constant dense<"0x0F07"> : tensor<2xi4>
  // CHECK: dense<15> : tensor<2xui4>
  %4 = stablehlo.constant dense<"0x0F"> : tensor<2xui4>
  // CHECK: dense<[-2, 1]> : tensor<2xi2>
  %5 = stablehlo.constant dense<"0x0201"> : tensor<2xi2>
  // CHECK: dense<[1.500000e+00, 1.000000e+00]> : tensor<2xf8E4M3FN>
  %6 = stablehlo.constant dense<"0x3C38"> : tensor<2xf8E4M3FN>
  // CHECK: dense<[5.000000e-01, 1.000000e+00]> : tensor<2xf4E2M1FN>
  %7 = stablehlo.constant dense<"0x0102"> : tensor<2xf4E2M1FN>
  // CHECK: dense<(1.000000e+00,2.000000e+00)> : tensor<3xcomplex<f32>>
  %8 = stablehlo.constant dense<"0x0000803F00000040"> : tensor<3xcomplex<f32>>
  // CHECK: dense<[1, -1]> : tensor<2xi16>
  %9 = stablehlo.constant dense<"0x0100FFFF"> : tensor<2xi16>
  return
}

// CHECK-LABEL: func.func @bit_patterns(
func.func @bit_patterns() {
  // CHECK: dense<0x7f> : tensor<f8E4M3FN>
  %0 = stablehlo.constant dense<0x7F> : tensor<f8E4M3FN>
  // CHECK: dense<0xff> : tensor<f8E8M0FNU>
  %1 = stablehlo.constant dense<0xFF> : tensor<f8E8M0FNU>
  // CHECK: dense<[0x7f800000, 0x7fc00001, -0.000000e+00]> : tensor<3xf32>
  %2 = stablehlo.constant dense<[0x7F800000, 0x7FC00001, -0.0]> : tensor<3xf32>
  // CHECK: dense<0xfff0000000000000> : tensor<f64>
  %3 = stablehlo.constant dense<0xFFF0000000000000> : tensor<f64>
  // CHECK: dense<[(0xff800000,1.000000e+00), (0.000000e+00,0x7fc00000)]> : tensor<2xcomplex<f32>>
  %4 = stablehlo.constant dense<[(0xFF800000, 1.0), (0.0, 0x7FC00000)]> : tensor<2xcomplex<f32>>
  // CHECK: dense<0x7fff> : tensor<bf16>
  %5 = stablehlo.constant dense<0x7FFF> : tensor<bf16>
  return
}

// CHECK-LABEL: func.func @numbers(
func.func @numbers() {
  // CHECK: dense<-2> : tensor<i2>
  %0 = stablehlo.constant dense<-2> : tensor<i2>
  // CHECK: dense<[3, 0]> : tensor<2xui2>
  %1 = stablehlo.constant dense<[3, 0]> : tensor<2xui2>
  // CHECK: dense<[-8, 7]> : tensor<2xi4>
  %2 = stablehlo.constant dense<[-8, 7]> : tensor<2xi4>
  // CHECK: dense<18446744073709551615> : tensor<ui64>
  %3 = stablehlo.constant dense<18446744073709551615> : tensor<ui64>
  // CHECK: dense<(1.000000e+00,2.000000e+00)> : tensor<2xcomplex<f64>>
  %4 = stablehlo.constant dense<(1.0,2.0)> : tensor<2xcomplex<f64>>
  // CHECK: dense<1.000000e+00> : tensor<f6E2M3FN>
  %5 = stablehlo.constant dense<1.0> : tensor<f6E2M3FN>
  // CHECK: dense<-2.800000e+01> : tensor<f6E3M2FN>
  %6 = stablehlo.constant dense<-28.0> : tensor<f6E3M2FN>
  // CHECK: dense<> : tensor<0x3xf8E5M2>
  %7 = stablehlo.constant dense<> : tensor<0x3xf8E5M2>
  // CHECK: dense<1.000000e+00> : tensor<2xf8E5M2FNUZ>
  %8 = stablehlo.constant dense<1.0> : tensor<2xf8E5M2FNUZ>
  return
}

// -----

// Constants whose data is at the end of the file.

// CHECK-LABEL: func.func @resources(
func.func @resources() {
  // CHECK: dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  %0 = stablehlo.constant dense_resource<weights> : tensor<2xf32>
  // CHECK: dense<[true, false, true]> : tensor<3xi1>
  %1 = stablehlo.constant dense_resource<"the mask"> : tensor<3xi1>
  // CHECK: dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
  %2 = stablehlo.constant dense_resource<weights> : tensor<2xf32>
  return
}
{-#
  dialect_resources: {
    builtin: {
      weights: "0x040000000000803F00000040",
      "the mask": "0x01000000010001"
    },
    other: { unused: "0x01000000" }
  },
  external_resources: { mlir_reproducer: { pipeline: "builtin.module(cse)", verify_each: true } }
#-}

// -----

// Attributes of dialects that we do not have are carried along; so are floats that are no numbers.

// CHECK: builtin.module attributes {a = #zork.thing<[x, {b = "c>"}], 1 : i32>, b = #zork<opaque stuff "x">, c = #zork.bare, d = 0x7f800000 : f32, e = 0x7fc00000 : f32, f = 0x7c00 : f16, "quoted key" = dense<[1, 2]> : tensor<2xi32>} {
module attributes {a = #zork.thing<[x, {b = "c>"}], 1 : i32>, b = #zork<opaque stuff "x">, c = #zork.bare, d = 0x7F800000 : f32, e = 0x7FC00000 : f32, f = 0x7C00 : f16, "quoted key" = dense<[1, 2]> : tensor<2xi32>} {
  func.func private @f(tensor<2xf32> {zork.kind = #zork.kind<1>}) -> (tensor<2xf32> {zork.unit})
}
