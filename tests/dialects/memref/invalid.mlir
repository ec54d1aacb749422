// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @f(%v: i32, %m: memref<4xi32>) {
  // expected-error @+1 {{memref.atomic_rmw: C1: 0 indices for a memref of rank 1}}
  %r = memref.atomic_rmw addi %v, %m[] : (i32, memref<4xi32>) -> i32
  func.return
}

// -----

func.func @f(%v: f32, %m: memref<f32>) {
  // expected-error @+1 {{memref.atomic_rmw: C2: addi does not update f32}}
  %r = memref.atomic_rmw addi %v, %m[] : (f32, memref<f32>) -> f32
  func.return
}

// -----

func.func @f(%v: i32, %m: memref<i32>) {
  // expected-error @+1 {{memref.atomic_rmw: C2: maxnumf does not update i32}}
  %r = memref.atomic_rmw maxnumf %v, %m[] : (i32, memref<i32>) -> i32
  func.return
}

// -----

func.func @f(%v: i32, %m: memref<i32>) {
  // expected-error @+1 {{memref.atomic_rmw: C2: there is no kind 16}}
  %r = "memref.atomic_rmw"(%v, %m) <{kind = 16 : i64}> : (i32, memref<i32>) -> i32
  func.return
}

// -----

func.func @f(%v: i32, %m: memref<i32>) {
  // expected-error @+1 {{memref.atomic_rmw: C3: the scope "grid" is not one of "block", "device", "system"}}
  %r = memref.atomic_rmw addi %v, %m[] {scope = "grid"} : (i32, memref<i32>) -> i32
  func.return
}

// -----

func.func @f(%v: i32, %m: memref<i32>) {
  // expected-error @+1 {{memref.atomic_rmw: C3: the scope 1 : i32 is not one of}}
  %r = memref.atomic_rmw addi %v, %m[] {scope = 1 : i32} : (i32, memref<i32>) -> i32
  func.return
}

// -----

func.func @f(%v: i32, %m: memref<i64>) {
  // expected-error @+1 {{'memref.atomic_rmw' op operand 'memref'}}
  %r = memref.atomic_rmw addi %v, %m[] : (i32, memref<i64>) -> i32
  func.return
}

// -----

func.func @f(%v: i32, %m: memref<i32>) {
  // expected-error @+1 {{expected `addf`}}
  %r = memref.atomic_rmw add %v, %m[] : (i32, memref<i32>) -> i32
  func.return
}

// -----

func.func @f(%m: memref<4x4xi32>, %i: index) {
  // expected-error @+1 {{memref.prefetch: C1: 1 indices for a memref of rank 2}}
  memref.prefetch %m[%i], read, locality<3>, data : memref<4x4xi32>
  func.return
}

// -----

func.func @f(%m: memref<4xi32>, %i: index) {
  // expected-error @+1 {{memref.prefetch: C2: there is no locality 4}}
  memref.prefetch %m[%i], read, locality<4>, data : memref<4xi32>
  func.return
}

// -----

func.func @f(%m: memref<4xi32>, %i: index) {
  // expected-error @+1 {{memref.prefetch: C2: there is no locality -1}}
  memref.prefetch %m[%i], read, locality<-1>, data : memref<4xi32>
  func.return
}

// -----

func.func @f(%m: memref<4xi32>, %i: index) {
  // expected-error @+1 {{expected `read` or `write`}}
  memref.prefetch %m[%i], load, locality<3>, data : memref<4xi32>
  func.return
}

// -----

func.func @f(%m: memref<4xi32>, %i: index) {
  // expected-error @+1 {{expected `data` or `instr`}}
  memref.prefetch %m[%i], read, locality<3>, code : memref<4xi32>
  func.return
}
