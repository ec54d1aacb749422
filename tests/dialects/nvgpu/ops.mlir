// RUN: stepwell-opt %s --verify-roundtrip | filecheck %s

!shared = memref<64x64xf16, #gpu.address_space<workgroup>>
!padded = memref<64x64xbf16, strided<[72, 1], offset: ?>, #gpu.address_space<workgroup>>

// CHECK-LABEL: func.func @matrix
func.func @matrix(%m: !shared, %p: !padded, %i: index, %c: vector<2x2xf32>, %h: vector<2x2xf16>) {
  // CHECK: %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 4 : i32, transpose = false} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<4x2xf16>
  %a = nvgpu.ldmatrix %m[%i, %i] {numTiles = 4 : i32, transpose = false} : !shared -> vector<4x2xf16>
  // CHECK-NEXT: %b = nvgpu.ldmatrix %m[%i, %i] {note, numTiles = 2 : i32, transpose = true} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<2x2xf16>
  %b = nvgpu.ldmatrix %m[%i, %i] {numTiles = 2 : i32, transpose = true, note} : !shared -> vector<2x2xf16>
  // CHECK-NEXT: %b1 = nvgpu.ldmatrix %m[%i, %i] {numTiles = 1 : i32, transpose = true} : memref<64x64xf16, #gpu.address_space<workgroup>> -> vector<1x2xf16>
  %b1 = nvgpu.ldmatrix %m[%i, %i] {numTiles = 1 : i32, transpose = true} : !shared -> vector<1x2xf16>
  // CHECK-NEXT: %{{.*}} = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16 : i64, 8 : i64, 16 : i64]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
  %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
  // CHECK-NEXT: %{{.*}} = nvgpu.mma.sync(%a, %b, %h) {mmaShape = [16 : i64, 8 : i64, 16 : i64]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf16>) -> vector<2x2xf16>
  %e = nvgpu.mma.sync(%a, %b, %h) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf16>) -> vector<2x2xf16>
  // CHECK-NEXT: %{{.*}} = nvgpu.mma.sync(%b, %b1, %c) {mmaShape = [16 : i64, 8 : i64, 8 : i64]} : (vector<2x2xf16>, vector<1x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
  %f = nvgpu.mma.sync(%b, %b1, %c) {mmaShape = [16, 8, 8]} : (vector<2x2xf16>, vector<1x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
  // CHECK-NEXT: %{{.*}} = nvgpu.ldmatrix %p[%i, %i] {numTiles = 4 : i32, transpose = false} : memref<64x64xbf16, strided<[72, 1], offset: ?>, #gpu.address_space<workgroup>> -> vector<4x2xbf16>
  %g = nvgpu.ldmatrix %p[%i, %i] {numTiles = 4 : i32, transpose = false} : !padded -> vector<4x2xbf16>
  // CHECK-NEXT: %{{.*}} = nvgpu.ldmatrix %p[%i, %i] {numTiles = 2 : i32
  %k = nvgpu.ldmatrix %p[%i, %i] {numTiles = 2 : i32, transpose = false} : !padded -> vector<2x2xbf16>
  // CHECK-NEXT: %{{.*}} = nvgpu.mma.sync(%g, %k, %c) {mmaShape = [16 : i64, 8 : i64, 16 : i64]} : (vector<4x2xbf16>, vector<2x2xbf16>, vector<2x2xf32>) -> vector<2x2xf32>
  %l = nvgpu.mma.sync(%g, %k, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xbf16>, vector<2x2xbf16>, vector<2x2xf32>) -> vector<2x2xf32>
  func.return
}

// CHECK-LABEL: func.func @copies
func.func @copies(%x: memref<4096xf16>, %y: memref<8x?xf32>, %s: !shared, %t: memref<512xf32, #gpu.address_space<workgroup>>, %i: index, %n: index) {
  // CHECK: %a = nvgpu.device_async_copy %x[%i], %s[%i, %n], 8 : memref<4096xf16> to memref<64x64xf16, #gpu.address_space<workgroup>>
  %a = nvgpu.device_async_copy %x[%i], %s[%i, %n], 8 : memref<4096xf16> to !shared
  // CHECK-NEXT: %b = nvgpu.device_async_copy %y[%i, %n], %t[%i], 1, %n {note} : memref<8x?xf32> to memref<512xf32, #gpu.address_space<workgroup>>
  %b = nvgpu.device_async_copy %y[%i, %n], %t[%i], 1, %n {note} : memref<8x?xf32> to memref<512xf32, #gpu.address_space<workgroup>>
  // CHECK-NEXT: %{{.*}} = nvgpu.device_async_copy %y[%i, %n], %t[%i], 4, %n {bypassL1} : memref<8x?xf32> to memref<512xf32, #gpu.address_space<workgroup>>
  %c = nvgpu.device_async_copy %y[%i, %n], %t[%i], 4, %n {bypassL1} : memref<8x?xf32> to memref<512xf32, #gpu.address_space<workgroup>>
  // CHECK-NEXT: %g = nvgpu.device_async_create_group %a, %b
  %g = nvgpu.device_async_create_group %a, %b
  // CHECK-NEXT: %{{.*}} = nvgpu.device_async_create_group {}
  %h = nvgpu.device_async_create_group {}
  // CHECK-NEXT: %{{.*}} = nvgpu.device_async_create_group {}
  %j = nvgpu.device_async_create_group {}
  // CHECK-NEXT: nvgpu.device_async_wait %g {numGroups = 1 : i32}
  nvgpu.device_async_wait %g {numGroups = 1 : i32}
  // CHECK-NEXT: nvgpu.device_async_wait {numGroups = 2 : i32}
  nvgpu.device_async_wait {numGroups = 2 : i32}
  // CHECK-NEXT: nvgpu.device_async_wait
  nvgpu.device_async_wait
  func.return
}
// CHECK-LABEL: func.func @passes(%token: !nvgpu.device.async.token)
func.func @passes(%token: !nvgpu.device.async.token) {
  func.return
}
