// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @f(%m: memref<64x64xf16>, %i: index) {
  // expected-error @+1 {{nvgpu.ldmatrix: C1: memref<64x64xf16> is not 16-bit elements in workgroup memory}}
  %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 4 : i32, transpose = false} : memref<64x64xf16> -> vector<4x2xf16>
  func.return
}

// -----

func.func @f(%m: memref<64x64xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.ldmatrix: C1: memref<64x64xf32, #gpu.address_space<workgroup>> is not 16-bit elements in workgroup memory}}
  %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 4 : i32, transpose = false} : memref<64x64xf32, #gpu.address_space<workgroup>> -> vector<4x2xf32>
  func.return
}

// -----

func.func @f(%m: memref<64x64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.ldmatrix: C2: 1 indices for memref<64x64xf16, #gpu.address_space<workgroup>>}}
  %a = nvgpu.ldmatrix %m[%i] {numTiles = 4 : i32, transpose = false} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
  func.return
}

// -----

func.func @f(%m: memref<64x64xf16, strided<[1, 64]>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.ldmatrix: C2: memref<64x64xf16, strided<[1, 64]>, #gpu.address_space<workgroup>> has no last dim of stride 1}}
  %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 4 : i32, transpose = false} : memref<64x64xf16, strided<[1, 64]>, #gpu.address_space<workgroup>> -> vector<4x2xf16>
  func.return
}

// -----

func.func @f(%m: memref<64x64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.ldmatrix: C3: 3 tiles; 1, 2 or 4 are possible}}
  %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 3 : i32, transpose = false} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<3x2xf16>
  func.return
}

// -----

func.func @f(%m: memref<64x64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.ldmatrix: C4: the result vector<4x1xf16> is not vector<4x2xf16>}}
  %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 4 : i32, transpose = false} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<4x1xf16>
  func.return
}

// -----

func.func @f(%a: vector<4x2xf16>, %b: vector<2x2xf16>, %c: vector<2x2xf32>) {
  // expected-error @+1 {{nvgpu.mma.sync: C1: shape [8, 8, 16] is not [16, 8, 16] or [16, 8, 8]}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [8, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x2xf16>, %b: vector<2x2xf16>, %c: vector<2x2xf32>) {
  // expected-error @+1 {{nvgpu.mma.sync: C2: A is vector<4x2xf16>, not 2x2 elements as of shape [16, 8, 8]}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 8]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x2xf16>, %b: vector<2x2xf16>, %c: vector<4xf32>) {
  // expected-error @+1 {{nvgpu.mma.sync: C2: C is vector<4xf32>, not 2x2 elements as of shape [16, 8, 16]}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<4xf32>) -> vector<4xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x2xf16>, %b: vector<2x2xbf16>, %c: vector<2x2xf32>) {
  // expected-error @+1 {{nvgpu.mma.sync: C3: f16 * bf16 + f32 is not a product of shape [16, 8, 16]}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xbf16>, vector<2x2xf32>) -> vector<2x2xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x2xbf16>, %b: vector<2x2xbf16>, %c: vector<2x2xbf16>) {
  // expected-error @+1 {{nvgpu.mma.sync: C3: bf16 * bf16 + bf16 is not a product of shape [16, 8, 16]}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xbf16>, vector<2x2xbf16>, vector<2x2xbf16>) -> vector<2x2xbf16>
  func.return
}

// -----

func.func @f(%a: vector<2x2xbf16>, %b: vector<1x2xbf16>, %c: vector<2x2xf32>) {
  // expected-error @+1 {{nvgpu.mma.sync: C3: bf16 * bf16 + f32 is not a product of shape [16, 8, 8]}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 8]} : (vector<2x2xbf16>, vector<1x2xbf16>, vector<2x2xf32>) -> vector<2x2xf32>
  func.return
}

// -----

func.func @f(%a: vector<4x2xf16>, %b: vector<2x2xf16>, %c: vector<2x2xf32>) {
  // expected-error @+1 {{nvgpu.mma.sync: C4: the result vector<2x2xf16> is not of the type vector<2x2xf32>}}
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf16>
  func.return
}

// -----

func.func @f(%x: memref<64xf16>, %s: memref<64xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C1: cannot copy elements of memref<64xf16> to memref<64xf32, #gpu.address_space<workgroup>>}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 8 : memref<64xf16> to memref<64xf32, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<64xi4>, %s: memref<64xi4, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C1: cannot copy elements of memref<64xi4> to}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 8 : memref<64xi4> to memref<64xi4, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<64xf16>, %s: memref<64xf16, #gpu.address_space<private>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C2: memref<64xf16> to memref<64xf16, #gpu.address_space<private>> is not from global to workgroup memory}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 8 : memref<64xf16> to memref<64xf16, #gpu.address_space<private>>
  func.return
}

// -----

func.func @f(%s: memref<64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C2: memref<64xf16, #gpu.address_space<workgroup>> to memref<64xf16, #gpu.address_space<workgroup>> is not from global to workgroup memory}}
  %t = nvgpu.device_async_copy %s[%i], %s[%i], 8 : memref<64xf16, #gpu.address_space<workgroup>> to memref<64xf16, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<8x8xf16>, %s: memref<64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C3: 1 indices for memref<8x8xf16>}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 8 : memref<8x8xf16> to memref<64xf16, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<64xf16>, %s: memref<64xf16, strided<[2]>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C3: memref<64xf16, strided<[2]>, #gpu.address_space<workgroup>> has no last dim of stride 1}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 8 : memref<64xf16> to memref<64xf16, strided<[2]>, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<64xf16>, %s: memref<64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C4: 6 bytes; 4, 8 or 16 are possible}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 3 : memref<64xf16> to memref<64xf16, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<64xf16>, %s: memref<64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @+1 {{nvgpu.device_async_copy: C4: 8 bytes; 16 with bypassL1 are possible}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 4 {bypassL1} : memref<64xf16> to memref<64xf16, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%x: memref<64xf16>, %s: memref<64xf16, #gpu.address_space<workgroup>>, %i: index) {
  %n = arith.constant 9 : index
  // expected-error @+1 {{nvgpu.device_async_copy: C5: 9 of 8 elements are read}}
  %t = nvgpu.device_async_copy %x[%i], %s[%i], 8, %n : memref<64xf16> to memref<64xf16, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{nvgpu.device_async_wait: C1: -1 groups}}
  nvgpu.device_async_wait {numGroups = -1 : i32}
  func.return
}
