// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect
// RUN: not stepwell-opt %s --split-input-file --allow-unregistered-dialect 2>&1 | filecheck %s

// CHECK: diagnostics.mlir:10:26: error: use of undeclared SSA value name '%argO'
// CHECK-NEXT:   %0 = arith.addf %arg0, %argO : f32
// CHECK-NEXT:                          ^~~~~
// CHECK-NEXT: hint: did you mean '%arg0'?
func.func @undeclared(%arg0: f32) {
  // expected-error @+1 {{use of undeclared SSA value name '%argO'}}
  %0 = arith.addf %arg0, %argO : f32
  return
}

// -----

// CHECK: diagnostics.mlir:20:8: error: 'arith.addf' op operand #0 does not dominate this use
// CHECK: diagnostics.mlir:22:8: note: the operand is defined here
func.func @use_before_definition(%a: f32) {
  // expected-error @below {{operand #0 does not dominate this use}}
  %0 = arith.addf %1, %a : f32
  // expected-note @+1 {{the operand is defined here}}
  %1 = arith.addf %a, %a : f32
  return
}

// -----

func.func @wrong_operand_type(%a: f32) {
  // expected-error-re @+1 {{'%a' is used as {{f64}} but has type f32}}
  %0 = arith.addf %a, %a : f64
  return
}

// -----

func.func @mismatched_return(%a: tensor<2xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{'func.return' op}}
  return %a : tensor<2xf32>
}

// -----

func.func @unknown_op(%a: f32) {
  // expected-error @+1 {{unknown op 'arith.adf' in dialect 'arith'}}
  %0 = arith.adf %a, %a : f32
  return
}

// -----

// A branch does not dominate the merge.
func.func @control_flow(%c: i1) {
  "test.cond"(%c)[^then, ^merge] : (i1) -> ()
^then:
  %x = "test.make"() : () -> i32
  "test.br"()[^merge] : () -> ()
^merge:
  // expected-error @+1 {{does not dominate this use}}
  "test.use"(%x) : (i32) -> ()
  return
}

// -----

// A correct part among wrong ones is processed.
// CHECK: func.func @good
func.func @good() {
  return
}
