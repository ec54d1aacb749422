// RUN: stepwell-opt %s --inline --mlir-print-debuginfo --split-input-file | filecheck %s

// Bottom-up: main gets the body of @a with the body of @b in it. Copies carry call-site locations.

// CHECK-LABEL: func.func public @main
// CHECK: %[[N:.*]] = arith.negf %{{.*}} : f32 loc(callsite(callsite("b.py":1:0 at "a.py":2:0) at "main.py":3:0))
// CHECK-NEXT: %[[A:.*]] = arith.addf %[[N]], %{{.*}} : f32
// CHECK-NEXT: func.return %[[A]] : f32
// CHECK: func.func private @b
func.func public @main(%x: f32) -> f32 {
  %0 = func.call @a(%x) : (f32) -> f32 loc("main.py":3:0)
  func.return %0 : f32
}
func.func private @a(%x: f32) -> f32 {
  %0 = func.call @b(%x) : (f32) -> f32 loc("a.py":2:0)
  %1 = arith.addf %0, %x : f32 loc("a.py":5:0)
  func.return %1 : f32
}
func.func private @b(%x: f32) -> f32 {
  %0 = arith.negf %x : f32 loc("b.py":1:0)
  func.return %0 : f32
}

// -----

// Calls in regions are inlined there; recursion and declarations are left.

// CHECK-LABEL: func.func @main
// CHECK: scf.if
// CHECK-NEXT: arith.addf
// CHECK: func.call @even
// CHECK: func.call @outside
// CHECK-LABEL: func.func private @even
// CHECK: func.call @odd
func.func @main(%x: f32, %c: i1) -> (f32, f32) {
  %0 = scf.if %c -> (f32) {
    %1 = func.call @twice(%x) : (f32) -> f32
    scf.yield %1 : f32
  } else {
    %2 = func.call @even(%x, %c) : (f32, i1) -> f32
    scf.yield %2 : f32
  }
  %3 = func.call @outside(%x) : (f32) -> f32
  func.return %0, %3 : f32, f32
}
func.func private @outside(f32) -> f32
func.func private @twice(%x: f32) -> f32 {
  %0 = arith.addf %x, %x : f32
  func.return %0 : f32
}
func.func private @even(%x: f32, %c: i1) -> f32 {
  %0 = scf.if %c -> (f32) {
    %1 = func.call @odd(%x, %c) : (f32, i1) -> f32
    scf.yield %1 : f32
  } else {
    scf.yield %x : f32
  }
  func.return %0 : f32
}
func.func private @odd(%x: f32, %c: i1) -> f32 {
  %0 = func.call @even(%x, %c) : (f32, i1) -> f32
  func.return %0 : f32
}

// -----

// A callee that returns its argument, and multiple results.

// CHECK-LABEL: func.func @pass_through
// CHECK-SAME: (%[[X:[a-z0-9]*]]: f32 {{.*}}, %[[Y:[a-z0-9]*]]: f32
// CHECK-NEXT: func.return %[[Y]], %[[X]] :
func.func @pass_through(%x: f32, %y: f32) -> (f32, f32) {
  %0:2 = func.call @swap(%x, %y) : (f32, f32) -> (f32, f32)
  func.return %0#0, %0#1 : f32, f32
}
func.func private @swap(%x: f32, %y: f32) -> (f32, f32) {
  func.return %y, %x : f32, f32
}
