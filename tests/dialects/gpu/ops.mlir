// RUN: stepwell-opt %s --split-input-file --verify-roundtrip | filecheck %s

// CHECK-LABEL: gpu.module @ids {
// CHECK-NEXT:    gpu.func @f() kernel {
gpu.module @ids {
  gpu.func @f() kernel {
    // CHECK-NEXT: %{{.*}} = gpu.thread_id x
    // CHECK-NEXT: %{{.*}} = gpu.thread_id y upper_bound 64
    // CHECK-NEXT: %{{.*}} = gpu.block_id x
    // CHECK-NEXT: %{{.*}} = gpu.block_dim z
    // CHECK-NEXT: %{{.*}} = gpu.grid_dim x upper_bound 8 {note}
    // CHECK-NEXT: %{{.*}} = gpu.global_id x
    // CHECK-NEXT: %{{.*}} = gpu.lane_id
    // CHECK-NEXT: %{{.*}} = gpu.lane_id upper_bound 32
    // CHECK-NEXT: %{{.*}} = gpu.subgroup_id : index
    // CHECK-NEXT: %{{.*}} = gpu.subgroup_id upper_bound 8 : index
    // CHECK-NEXT: %{{.*}} = gpu.num_subgroups : index
    // CHECK-NEXT: %{{.*}} = gpu.subgroup_size : index
    // CHECK-NEXT: gpu.return
    %0 = gpu.thread_id x
    %1 = gpu.thread_id y upper_bound 64
    %2 = gpu.block_id x
    %3 = gpu.block_dim z
    %4 = gpu.grid_dim x upper_bound 8 {note}
    %5 = gpu.global_id x
    %6 = gpu.lane_id
    %7 = gpu.lane_id upper_bound 32
    %8 = gpu.subgroup_id : index
    %9 = gpu.subgroup_id upper_bound 8 : index
    %10 = gpu.num_subgroups : index
    %11 = gpu.subgroup_size : index
    gpu.return
  }
}

// -----

// CHECK-LABEL: gpu.module @lanes
gpu.module @lanes {
  gpu.func @f(%v: f32, %i: i64, %w: vector<4xf16>, %o: i32, %n: i32) kernel {
    // CHECK: %r, %valid = gpu.shuffle xor %v, %o, %n : f32
    %r, %valid = gpu.shuffle xor %v, %o, %n : f32
    // CHECK-NEXT: %{{.*}}, %{{.*}} = gpu.shuffle up %i, %o, %n : i64
    %r1, %valid1 = gpu.shuffle up %i, %o, %n : i64
    // CHECK-NEXT: %{{.*}}, %{{.*}} = gpu.shuffle down %w, %o, %n : vector<4xf16>
    %r2, %valid2 = gpu.shuffle down %w, %o, %n : vector<4xf16>
    // CHECK-NEXT: %{{.*}}, %{{.*}} = gpu.shuffle idx %valid, %o, %n : i1
    %r3, %valid3 = gpu.shuffle idx %valid, %o, %n : i1
    // CHECK-NEXT: gpu.barrier
    gpu.barrier
    // CHECK-NEXT: gpu.subgroup_barrier
    gpu.subgroup_barrier
    // CHECK-NEXT: gpu.fence {scope = "block"}
    gpu.fence {scope = "block"}
    // CHECK-NEXT: gpu.fence {note, scope = "system"}
    gpu.fence {note, scope = "system"}
    // CHECK-NEXT: %{{.*}} = gpu.ballot %valid : i32
    %b = gpu.ballot %valid : i32
    // CHECK-NEXT: %{{.*}} = gpu.vote any %valid : i1
    %b1 = gpu.vote any %valid : i1
    // CHECK-NEXT: %{{.*}} = gpu.vote all %valid {note} : i1
    %b2 = gpu.vote all %valid {note} : i1
    // CHECK-NEXT: %{{.*}} = gpu.ballot %valid : i64
    %b6 = gpu.ballot %valid : i64
    // CHECK-NEXT: %{{.*}} = gpu.match any %o : (i32) -> i32
    %b3 = gpu.match any %o : (i32) -> i32
    // CHECK-NEXT: %{{.*}}, %{{.*}} = gpu.match all %i : (i64) -> (i32, i1)
    %b4, %b5 = gpu.match all %i : (i64) -> (i32, i1)
    // CHECK-NEXT: %{{.*}}, %{{.*}} = gpu.match all %i : (i64) -> (i64, i1)
    %b7, %b8 = gpu.match all %i : (i64) -> (i64, i1)
    // CHECK-NEXT: %{{.*}} = gpu.subgroup_reduce add %v uniform : (f32) -> f32
    %s = gpu.subgroup_reduce add %v uniform : (f32) -> f32
    // CHECK-NEXT: %{{.*}} = gpu.subgroup_reduce maxsi %i uniform {note} : (i64) -> i64
    %s1 = gpu.subgroup_reduce maxsi %i {uniform, note} : (i64) -> i64
    // CHECK-NEXT: %{{.*}} = gpu.subgroup_reduce maximumf %w : (vector<4xf16>) -> vector<4xf16>
    %s2 = gpu.subgroup_reduce maximumf %w : (vector<4xf16>) -> (vector<4xf16>)
    // CHECK-NEXT: %{{.*}} = gpu.all_reduce mul %v {} : (f32) -> f32
    %a = gpu.all_reduce mul %v {
    } : (f32) -> f32
    // CHECK-NEXT: %{{.*}} = gpu.all_reduce xor %i uniform {} : (i64) -> i64
    %a1 = gpu.all_reduce xor %i uniform {} : (i64) -> i64
    // CHECK-NEXT: %{{.*}} = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %m = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    // CHECK-NEXT: gpu.printf "100%%\0A"
    gpu.printf "100%%\n"
    // CHECK-NEXT: gpu.printf "%5.2f %lld %d", %v, %i, %o : f32, i64, i32
    gpu.printf "%5.2f %lld %d", %v, %i, %o : f32, i64, i32
    gpu.return
  }
}

// -----

// CHECK-LABEL: gpu.module @k attributes {note = 1 : i32, sym_visibility = "private"} {
gpu.module @k attributes {note = 1 : i32, sym_visibility = "private"} {
  // CHECK-NEXT: gpu.func @plain(%x: memref<64xf32>) -> f32 {
  gpu.func @plain(%x: memref<64xf32>) -> f32 {
    %c0 = arith.constant 0 : index
    %v = memref.load %x[%c0] : memref<64xf32>
    // CHECK: gpu.return %{{.*}} : f32
    gpu.return %v : f32
  }
  // CHECK: gpu.func @two(%x: i32) -> (i32, i32) {
  gpu.func @two(%x: i32) -> (i32, i32) {
    gpu.return %x, %x : i32, i32
  }
  // CHECK: gpu.func @main(%x: memref<64xf32>, %n: index) workgroup(%s: memref<32xf32, #gpu.address_space<workgroup>>, %u: memref<2x4xi8, #gpu.address_space<workgroup>>)
  // CHECK-SAME: private(%p: memref<4xf32, #gpu.address_space<private>>) kernel
  // CHECK-SAME: attributes {known_block_size = array<i32: 256, 1, 1>, known_grid_size = array<i32: 8, 1, 1>, note} {
  gpu.func @main(%x: memref<64xf32>, %n: index)
      workgroup(%s: memref<32xf32, #gpu.address_space<workgroup>>, %u: memref<2x4xi8, #gpu.address_space<workgroup>>)
      private(%p: memref<4xf32, #gpu.address_space<private>>)
      kernel attributes {known_block_size = array<i32: 256, 1, 1>, known_grid_size = array<i32: 8, 1, 1>, note} {
    %c0 = arith.constant 0 : index
    // CHECK: memref.load %s[%{{.*}}] : memref<32xf32, #gpu.address_space<workgroup>>
    %v = memref.load %s[%c0] : memref<32xf32, #gpu.address_space<workgroup>>
    memref.store %v, %p[%c0] : memref<4xf32, #gpu.address_space<private>>
    gpu.return
  }
}
// CHECK: gpu.module @empty {
// CHECK-NEXT: }
gpu.module @empty {
}

// CHECK-LABEL: func.func @launches
func.func @launches(%x: memref<64xf32>, %n: index, %g: i64, %s: i32) {
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c256 = arith.constant 256 : index
  // CHECK: gpu.launch_func @k::@main blocks in (%c8, %c1, %c1) threads in (%c256, %c1, %c1) args(%x : memref<64xf32>, %n : index)
  gpu.launch_func @k::@main blocks in (%c8, %c1, %c1) threads in (%c256, %c1, %c1) args(%x : memref<64xf32>, %n : index)
  // CHECK-NEXT: gpu.launch_func @k::@main blocks in (%g, %g, %g) threads in (%g, %g, %g) : i64 dynamic_shared_memory_size %s args(%x : memref<64xf32>, %n : index) {note}
  gpu.launch_func @k::@main blocks in (%g, %g, %g) threads in (%g, %g, %g) : i64
      dynamic_shared_memory_size %s args(%x : memref<64xf32>, %n : index) {note}
  // CHECK-NEXT: %t = gpu.launch_func async @k::@main blocks in (%n, %n, %n) threads in (%n, %n, %n) args(%x : memref<64xf32>, %n : index)
  %t = gpu.launch_func async @k::@main blocks in (%n, %n, %n) threads in (%n, %n, %n) args(%x : memref<64xf32>, %n : index)
  // CHECK-NEXT: gpu.launch_func [%t] @k::@main blocks in
  gpu.launch_func [%t] @k::@main blocks in (%n, %n, %n) threads in (%n, %n, %n) args(%x : memref<64xf32>, %n : index)
  func.return
}

// -----

// CHECK-LABEL: func.func @memory
func.func @memory(%n: index, %h: memref<64xf32>, %u: memref<*xf32>, %f: f32) {
  // CHECK: %m = gpu.alloc () : memref<64xf32>
  %m = gpu.alloc () : memref<64xf32>
  // CHECK-NEXT: %t = gpu.wait async
  %t = gpu.wait async
  // CHECK-NEXT: %d, %t1 = gpu.alloc async [%t] host_shared (%n) : memref<?x4xf32>
  %d, %t1 = gpu.alloc async [%t] host_shared (%n) : memref<?x4xf32>
  // CHECK-NEXT: gpu.memcpy %m, %h : memref<64xf32>, memref<64xf32>
  gpu.memcpy %m, %h : memref<64xf32>, memref<64xf32>
  // CHECK-NEXT: %t2 = gpu.memcpy async [%t1, %t] %h, %m {note} : memref<64xf32>, memref<64xf32>
  %t2 = gpu.memcpy async [%t1, %t] %h, %m {note} : memref<64xf32>, memref<64xf32>
  // CHECK-NEXT: gpu.memset %m, %f : memref<64xf32>, f32
  gpu.memset %m, %f : memref<64xf32>, f32
  // CHECK-NEXT: %{{.*}} = gpu.memset async [%t] %m, %f {note} : memref<64xf32>, f32
  %set = gpu.memset async [%t] %m, %f {note} : memref<64xf32>, f32
  // CHECK-NEXT: %t3 = gpu.wait async [%t2, %t1]
  %t3 = gpu.wait async [%t2, %t1]
  // CHECK-NEXT: gpu.wait [%t3]
  gpu.wait [%t3]
  // CHECK-NEXT: %t4 = gpu.dealloc async %d : memref<?x4xf32>
  %t4 = gpu.dealloc async %d : memref<?x4xf32>
  // CHECK-NEXT: gpu.dealloc %m : memref<64xf32>
  gpu.dealloc %m : memref<64xf32>
  // CHECK-NEXT: gpu.host_register %u : memref<*xf32>
  gpu.host_register %u : memref<*xf32>
  // CHECK-NEXT: gpu.host_unregister %u : memref<*xf32>
  gpu.host_unregister %u : memref<*xf32>
  func.return
}
