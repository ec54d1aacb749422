// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// CHECK-LABEL: func.func @kinds
func.func @kinds(%i: index, %vbf16: bf16, %mbf16: memref<8x?xbf16>, %vf16: f16, %mf16: memref<8x?xf16>, %vf32: f32, %mf32: memref<8x?xf32>, %vf64: f64, %mf64: memref<8x?xf64>, %vi16: i16, %mi16: memref<8x?xi16>, %vi32: i32, %mi32: memref<8x?xi32>, %vi64: i64, %mi64: memref<8x?xi64>, %vi8: i8, %mi8: memref<8x?xi8>) {
  // CHECK: %{{.*}} = memref.atomic_rmw addf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  %r0 = memref.atomic_rmw addf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw addi %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  %r1 = memref.atomic_rmw addi %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw assign %vf16, %mf16[%i, %i] : (f16, memref<8x?xf16>) -> f16
  %r2 = memref.atomic_rmw assign %vf16, %mf16[%i, %i] : (f16, memref<8x?xf16>) -> f16
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw maximumf %vf64, %mf64[%i, %i] : (f64, memref<8x?xf64>) -> f64
  %r3 = memref.atomic_rmw maximumf %vf64, %mf64[%i, %i] : (f64, memref<8x?xf64>) -> f64
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw maxs %vi64, %mi64[%i, %i] : (i64, memref<8x?xi64>) -> i64
  %r4 = memref.atomic_rmw maxs %vi64, %mi64[%i, %i] : (i64, memref<8x?xi64>) -> i64
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw maxu %vi8, %mi8[%i, %i] : (i8, memref<8x?xi8>) -> i8
  %r5 = memref.atomic_rmw maxu %vi8, %mi8[%i, %i] : (i8, memref<8x?xi8>) -> i8
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw minimumf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  %r6 = memref.atomic_rmw minimumf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw mins %vi16, %mi16[%i, %i] : (i16, memref<8x?xi16>) -> i16
  %r7 = memref.atomic_rmw mins %vi16, %mi16[%i, %i] : (i16, memref<8x?xi16>) -> i16
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw minu %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  %r8 = memref.atomic_rmw minu %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw mulf %vbf16, %mbf16[%i, %i] : (bf16, memref<8x?xbf16>) -> bf16
  %r9 = memref.atomic_rmw mulf %vbf16, %mbf16[%i, %i] : (bf16, memref<8x?xbf16>) -> bf16
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw muli %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  %r10 = memref.atomic_rmw muli %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw ori %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  %r11 = memref.atomic_rmw ori %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw andi %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  %r12 = memref.atomic_rmw andi %vi32, %mi32[%i, %i] : (i32, memref<8x?xi32>) -> i32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw maxnumf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  %r13 = memref.atomic_rmw maxnumf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw minnumf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  %r14 = memref.atomic_rmw minnumf %vf32, %mf32[%i, %i] : (f32, memref<8x?xf32>) -> f32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw xori %vi64, %mi64[%i, %i] : (i64, memref<8x?xi64>) -> i64
  %r15 = memref.atomic_rmw xori %vi64, %mi64[%i, %i] : (i64, memref<8x?xi64>) -> i64
  func.return
}

// -----

// CHECK-LABEL: func.func @scopes
func.func @scopes(%v: i32, %m: memref<i32>, %s: memref<4xi32, #gpu.address_space<workgroup>>, %i: index) {
  // CHECK: %{{.*}} = memref.atomic_rmw addi %v, %m[] {scope = "system"} : (i32, memref<i32>) -> i32
  %a = memref.atomic_rmw addi %v, %m[] {scope = "system"} : (i32, memref<i32>) -> i32
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw addi %v, %s[%i] {scope = "block"} : (i32, memref<4xi32, #gpu.address_space<workgroup>>) -> i32
  %b = memref.atomic_rmw addi %v, %s[%i] {scope = "block"} : (i32, memref<4xi32, #gpu.address_space<workgroup>>) -> i32
  // The numbers of kinds are MLIR's.
  // CHECK-NEXT: %{{.*}} = memref.atomic_rmw xori %v, %m[] {scope = "device"} : (i32, memref<i32>) -> i32
  %c = "memref.atomic_rmw"(%v, %m) <{kind = 15 : i64}> {scope = "device"} : (i32, memref<i32>) -> i32
  func.return
}

// -----

// CHECK-LABEL: func.func @prefetch
func.func @prefetch(%m: memref<8x?xf32>, %s: memref<i32>, %i: index) {
  // CHECK: memref.prefetch %m[%i, %i], read, locality<3>, data : memref<8x?xf32>
  memref.prefetch %m[%i, %i], read, locality<3>, data : memref<8x?xf32>
  // CHECK-NEXT: memref.prefetch %s[], write, locality<0>, instr {why = "to see"} : memref<i32>
  memref.prefetch %s[], write, locality<0>, instr {why = "to see"} : memref<i32>
  // CHECK-NEXT: memref.prefetch %m[%i, %i], write, locality<1>, data : memref<8x?xf32>
  "memref.prefetch"(%m, %i, %i) <{isDataCache = true, isWrite = true, localityHint = 1 : i32}> : (memref<8x?xf32>, index, index) -> ()
  func.return
}
