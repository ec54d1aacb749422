// RUN: stepwell-opt %s --cse --dce --symbol-dce --split-input-file | filecheck %s

// What a thread is, is computed once; loads on the two sides of a barrier stay apart, and barriers stay.

// CHECK-LABEL: gpu.func @f
// CHECK-NEXT: %[[T:.*]] = gpu.thread_id x
// CHECK-NEXT: %[[Y:.*]] = gpu.thread_id y
// CHECK-NEXT: %[[A:.*]] = memref.load %s[%[[T]]]
// CHECK-NEXT: gpu.barrier
// CHECK-NEXT: %[[B:.*]] = memref.load %s[%[[T]]]
// CHECK-NEXT: gpu.subgroup_barrier
// CHECK-NEXT: %[[C:.*]] = memref.load %s[%[[Y]]]
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[B]]
// CHECK-NEXT: %[[R:.*]] = gpu.subgroup_reduce add %[[S]] uniform
// CHECK-NEXT: %[[M:.*]] = gpu.subgroup_reduce maxnumf %[[C]] uniform
// CHECK-NEXT: memref.store %[[R]], %x[%[[T]]]
// CHECK-NEXT: memref.store %[[M]], %x[%[[T]]]
// CHECK-NEXT: gpu.return
gpu.module @m {
  gpu.func @f(%x: memref<64xf32>) workgroup(%s: memref<64xf32, #gpu.address_space<workgroup>>) kernel {
    %t = gpu.thread_id x
    %u = gpu.thread_id x
    %y = gpu.thread_id y
    %lane = gpu.lane_id
    %a = memref.load %s[%t] : memref<64xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %b = memref.load %s[%u] : memref<64xf32, #gpu.address_space<workgroup>>
    gpu.subgroup_barrier
    %c = memref.load %s[%y] : memref<64xf32, #gpu.address_space<workgroup>>
    %sum = arith.addf %a, %b : f32
    %r = gpu.subgroup_reduce add %sum uniform : (f32) -> f32
    %q = gpu.subgroup_reduce add %sum uniform : (f32) -> f32
    %k = gpu.subgroup_reduce maxnumf %c uniform : (f32) -> f32
    memref.store %q, %x[%u] : memref<64xf32>
    memref.store %k, %x[%t] : memref<64xf32>
    gpu.return
  }
}

// -----

// Asynchronous copies, their groups and their waits stay; an unused fragment goes.

// CHECK-LABEL: gpu.func @copies
// CHECK-NEXT: nvgpu.device_async_copy
// CHECK-NEXT: nvgpu.device_async_copy
// CHECK-NEXT: nvgpu.device_async_create_group
// CHECK-NEXT: nvgpu.device_async_wait
// CHECK-NEXT: gpu.return
gpu.module @m {
  gpu.func @copies(%x: memref<64xf16>, %i: index) workgroup(%s: memref<8x8xf16, #gpu.address_space<workgroup>>) kernel {
    %t = nvgpu.device_async_copy %x[%i], %s[%i, %i], 8 : memref<64xf16> to memref<8x8xf16, #gpu.address_space<workgroup>>
    %u = nvgpu.device_async_copy %x[%i], %s[%i, %i], 8 : memref<64xf16> to memref<8x8xf16, #gpu.address_space<workgroup>>
    %g = nvgpu.device_async_create_group %t, %u
    nvgpu.device_async_wait {numGroups = 0 : i32}
    %a = nvgpu.ldmatrix %s[%i, %i] {numTiles = 1 : i32, transpose = false} : memref<8x8xf16, #gpu.address_space<workgroup>> -> vector<1x2xf16>
    gpu.return
  }
}

// -----

// A private module lives as long as somebody launches it, as do the host's gpu ops; an allocation nobody uses goes.

// CHECK-NOT:   gpu.module @dead
// CHECK:       gpu.module @used attributes {sym_visibility = "private"}
// CHECK-NOT:   gpu.module @dead
// CHECK:       gpu.module @visible {
// CHECK-LABEL: func.func public @main
// CHECK-NEXT:    arith.constant 1
// CHECK-NEXT:    gpu.launch_func @used::@f
// CHECK-NEXT:    gpu.launch_func @used::@f
// CHECK-NEXT:    gpu.memcpy
// CHECK-NEXT:    gpu.wait
// CHECK-NEXT:    func.return
gpu.module @dead attributes {sym_visibility = "private"} {
  gpu.func @f() kernel {
    gpu.return
  }
}
gpu.module @used attributes {sym_visibility = "private"} {
  gpu.func @f() kernel {
    gpu.return
  }
}
gpu.module @dead_too attributes {sym_visibility = "private"} {
  gpu.func @f() kernel {
    gpu.return
  }
}
gpu.module @visible {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func private @dead_host(%n: index) {
  gpu.launch_func @dead_too::@f blocks in (%n, %n, %n) threads in (%n, %n, %n)
  func.return
}
func.func public @main(%x: memref<8xf32>, %y: memref<8xf32>) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 1 : index
  %m = gpu.alloc () : memref<64xf32>
  gpu.launch_func @used::@f blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
  gpu.launch_func @used::@f blocks in (%c1, %c2, %c1) threads in (%c1, %c1, %c1)
  gpu.memcpy %x, %y : memref<8xf32>, memref<8xf32>
  gpu.wait
  func.return
}
