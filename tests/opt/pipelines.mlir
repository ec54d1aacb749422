// RUN: stepwell-opt %s --pass-pipeline='builtin.module(func.func(canonicalize,cse),symbol-dce)' | filecheck %s
// RUN: stepwell-opt %s --canonicalize --cse --symbol-dce | filecheck %s
// RUN: cat %s | stepwell-opt - -p 'canonicalize,cse,symbol_dce' --verify-roundtrip | filecheck %s
// RUN: stepwell-opt %s --cse --mlir-print-op-generic | filecheck %s --check-prefix=GENERIC
// RUN: stepwell-opt %s --mlir-print-debuginfo | filecheck %s --check-prefix=LOC
// RUN: stepwell-opt %s --cse --dce --mlir-print-ir-after=cse 2>&1 >/dev/null | filecheck %s --check-prefix=AFTER
// RUN: stepwell-opt %s --cse --cse --mlir-print-ir-after-change 2>&1 >/dev/null | filecheck %s --check-prefix=CHANGE
// RUN: stepwell-opt %s --cse --mlir-timing --mlir-pass-statistics 2>&1 >/dev/null | filecheck %s --check-prefix=TIME

// CHECK-LABEL: func.func @f
// CHECK-NEXT:    %[[S:.*]] = arith.addf %a, %b : f32
// CHECK-NEXT:    %[[P:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT:    func.return %[[P]] : f32
// CHECK-NOT:   @unused

// GENERIC: "arith.addf"(%a, %b)
// LOC: arith.addf %a, %b : f32 loc("{{.*}}pipelines.mlir":25:8)

// AFTER: // -----// IR Dump After cse
// AFTER-NOT: IR Dump

// CHANGE: // -----// IR Dump After cse
// CHANGE-NOT: IR Dump
func.func @f(%a: f32, %b: f32) -> f32 {
  %0 = arith.addf %a, %b : f32
  %1 = arith.addf %a, %b : f32
  %2 = arith.mulf %0, %1 : f32
  return %2 : f32
}

// TIME: Pass statistics report
// TIME: cse: 1 run(s)
// TIME: Execution time report
// TIME: cse
// TIME: Total
func.func private @unused() {
  return
}
