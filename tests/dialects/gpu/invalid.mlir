// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @f() {
  // expected-error @+1 {{gpu.thread_id: C1: the upper bound 0 is not positive}}
  %0 = gpu.thread_id x upper_bound 0
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{gpu.subgroup_id: C1: the upper bound -3 is not positive}}
  %0 = gpu.subgroup_id upper_bound -3 : index
  func.return
}

// -----

func.func @f(%v: i128, %o: i32) {
  // expected-error @+1 {{gpu.shuffle: C1: i128 is not an integer or float of 1 to 64 bits or a 1-D vector of them}}
  %r, %p = gpu.shuffle xor %v, %o, %o : i128
  func.return
}

// -----

func.func @f(%v: vector<2x2xf32>, %o: i32) {
  // expected-error @+1 {{gpu.shuffle: C1: vector<2x2xf32> is not an integer or float}}
  %r, %p = gpu.shuffle xor %v, %o, %o : vector<2x2xf32>
  func.return
}

// -----

func.func @f(%v: f32, %o: i32) {
  %w = arith.constant 12 : i32
  // expected-error @+1 {{gpu.shuffle: C2: the width 12 is not a power of two}}
  %r, %p = gpu.shuffle xor %v, %o, %w : f32
  func.return
}

// -----

func.func @f(%v: index) {
  // expected-error @+1 {{gpu.subgroup_reduce: C1: index is not an integer or float}}
  %r = gpu.subgroup_reduce add %v : (index) -> index
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{gpu.subgroup_reduce: C2: maxsi does not combine f32}}
  %r = gpu.subgroup_reduce maxsi %v : (f32) -> f32
  func.return
}

// -----

func.func @f(%v: vector<4xi32>) {
  // expected-error @+1 {{gpu.subgroup_reduce: C2: minimumf does not combine vector<4xi32>}}
  %r = gpu.subgroup_reduce minimumf %v : (vector<4xi32>) -> vector<4xi32>
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{gpu.subgroup_reduce: C3: the result f64 is not of the type f32 of the value}}
  %r = gpu.subgroup_reduce add %v : (f32) -> f64
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{gpu.subgroup_reduce: expected one operand type and one result type}}
  %r = gpu.subgroup_reduce add %v : f32
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{gpu.all_reduce: C2: and does not combine f32}}
  %r = gpu.all_reduce and %v {} : (f32) -> f32
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{gpu.dynamic_shared_memory: C1: memref<16xi8, #gpu.address_space<workgroup>> is not memref<?xi8, #gpu.address_space<workgroup>>}}
  %m = gpu.dynamic_shared_memory : memref<16xi8, #gpu.address_space<workgroup>>
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{gpu.printf: C1: 1 arguments for 2 conversions}}
  gpu.printf "%d%% %f", %v : f32
  func.return
}

// -----

func.func @f(%v: vector<2xf32>) {
  // expected-error @+1 {{gpu.printf: C2: cannot print a vector<2xf32>}}
  gpu.printf "%f", %v : vector<2xf32>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{gpu.alloc: C1: 0 sizes for 1 dynamic dims of memref<?x4xf32>}}
  %m = gpu.alloc () : memref<?x4xf32>
  func.return
}

// -----

func.func @f(%a: memref<4xf32>, %b: memref<4xi32>) {
  // expected-error @+1 {{gpu.memcpy: C1: memref<4xi32> cannot be copied into memref<4xf32>}}
  gpu.memcpy %a, %b : memref<4xf32>, memref<4xi32>
  func.return
}

// -----

func.func @f(%a: memref<4x?xf32>, %b: memref<8x8xf32>) {
  // expected-error @+1 {{gpu.memcpy: C1: memref<8x8xf32> cannot be copied into memref<4x?xf32>}}
  gpu.memcpy %a, %b : memref<4x?xf32>, memref<8x8xf32>
  func.return
}

// -----

func.func @f(%a: memref<4xf32>, %b: i32) {
  // expected-error @+1 {{gpu.memset: C1: i32 cannot be an element of memref<4xf32>}}
  gpu.memset %a, %b : memref<4xf32>, i32
  func.return
}

// -----

func.func @f(%a: memref<4xf32>, %b: memref<4x1xf32>) {
  // expected-error @+1 {{gpu.memcpy: C1: memref<4x1xf32> cannot be copied into memref<4xf32>}}
  gpu.memcpy %a, %b : memref<4xf32>, memref<4x1xf32>
  func.return
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C1: block arguments (i32) do not begin with (f32) and 0 of workgroup memory}}
  "gpu.func"() <{sym_name = "f", function_type = (f32) -> (), kernel}> ({
  ^bb0(%x: i32):
    gpu.return
  }) : () -> ()
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C1: block arguments (f32) do not begin with (f32) and 1 of workgroup memory}}
  "gpu.func"() <{sym_name = "f", function_type = (f32) -> (), workgroup_attributions = 1 : i64}> ({
  ^bb0(%x: f32):
    gpu.return
  }) : () -> ()
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C2: the kernel returns (f32), not nothing}}
  gpu.func @f(%x: f32) -> f32 kernel {
    gpu.return %x : f32
  }
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C3: memref<4xf32> is not a memref of static shape in workgroup memory}}
  gpu.func @f() workgroup(%s: memref<4xf32>) kernel {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C3: memref<?xf32, #gpu.address_space<private>> is not a memref of static shape in private memory}}
  gpu.func @f() private(%s: memref<?xf32, #gpu.address_space<private>>) kernel {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C4: the kernel takes memref<4xf32, #gpu.address_space<workgroup>>, which is not in global memory}}
  gpu.func @f(%s: memref<4xf32, #gpu.address_space<workgroup>>) kernel {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C5: known_block_size [32, 1] is not three positive numbers}}
  gpu.func @f() kernel attributes {known_block_size = array<i32: 32, 1>} {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C5: known_grid_size [0, 1, 1] is not three positive numbers}}
  gpu.func @f() kernel attributes {known_grid_size = array<i32: 0, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error @+1 {{gpu.func: C5: a block of 2048 threads; at most 1024 are possible}}
  gpu.func @f() kernel attributes {known_block_size = array<i32: 512, 4, 1>} {
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%x: f32) -> i32 {
    // expected-error @+1 {{gpu.return: C1: (f32) is not (i32)}}
    gpu.return %x : f32
  }
}

// -----

// Device code sees nothing of what is around it.

func.func @f(%x: f32) {
  gpu.module @m {
    gpu.func @f() -> f32 {
      // expected-error @+1 {{operand #0 is defined outside the enclosing isolated operation}}
      gpu.return %x : f32
    }
  }
  func.return
}

// -----

func.func @f(%n: index) {
  // expected-error @+1 {{gpu.launch_func: C1: @m::@f is not a kernel of a gpu.module}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%n, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() {
    gpu.return
  }
}
func.func @f(%n: index) {
  // expected-error @+1 {{gpu.launch_func: C1: @m::@f is not a kernel of a gpu.module}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%n, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index) {
  // expected-error @+1 {{gpu.launch_func: C1: @m::@g is not a kernel of a gpu.module}}
  gpu.launch_func @m::@g blocks in (%n, %n, %n) threads in (%n, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index) {
  // expected-error @+1 {{gpu.launch_func: C1: @m is not a kernel of a gpu.module}}
  gpu.launch_func @m blocks in (%n, %n, %n) threads in (%n, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f(%x: memref<4xf32>, %n: index) kernel {
    gpu.return
  }
}
func.func @f(%x: memref<8xf32>, %n: index) {
  // expected-error @+1 {{gpu.launch_func: C2: arguments (memref<8xf32>, index) are not (memref<4xf32>, index) of @m::@f}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%n, %n, %n) args(%x : memref<8xf32>, %n : index)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: f32) {
  // expected-error @+1 {{gpu.launch_func: C3: sizes (f32, f32, f32, f32, f32, f32) are not all index, i32 or i64}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%n, %n, %n) : f32
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index, %m: i32) {
  // expected-error @+1 {{gpu.launch_func: C3: sizes (index, index, index, i32, i32, i32) are not all index, i32 or i64}}
  "gpu.launch_func"(%n, %n, %n, %m, %m, %m) <{kernel = @m::@f, operandSegmentSizes = array<i32: 0, 1, 1, 1, 1, 1, 1, 0, 0>}> : (index, index, index, i32, i32, i32) -> ()
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{gpu.launch_func: C4: a block size is not positive}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%n, %c0, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index) {
  %c64 = arith.constant 64 : index
  // expected-error @+1 {{gpu.launch_func: C4: a block of 4096 threads; at most 1024 are possible}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%c64, %n, %c64)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    gpu.return
  }
}
func.func @f(%n: index) {
  %c64 = arith.constant 64 : index
  // expected-error @+1 {{gpu.launch_func: C4: block size 64 is not 128 of [128, 1, 1] that @m::@f knows}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%c64, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: i32) {
  %c = arith.constant -1 : i32
  // expected-error @+1 {{gpu.launch_func: C5: a grid size is not positive}}
  gpu.launch_func @m::@f blocks in (%c, %n, %n) threads in (%n, %n, %n) : i32
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel attributes {known_grid_size = array<i32: 8, 1, 1>} {
    gpu.return
  }
}
func.func @f(%n: index) {
  %c2 = arith.constant 2 : index
  // expected-error @+1 {{gpu.launch_func: C5: grid size 2 is not 1 of [8, 1, 1] that @m::@f knows}}
  gpu.launch_func @m::@f blocks in (%n, %c2, %n) threads in (%n, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index) {
  %s = arith.constant -4 : i32
  // expected-error @+1 {{gpu.launch_func: C6: -4 bytes of shared memory}}
  gpu.launch_func @m::@f blocks in (%n, %n, %n) threads in (%n, %n, %n) dynamic_shared_memory_size %s
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    gpu.return
  }
}
func.func @f(%n: index) {
  // expected-error @+1 {{gpu.launch_func: expected three sizes of blocks}}
  gpu.launch_func @m::@f blocks in (%n) threads in (%n, %n, %n)
  func.return
}

// -----

func.func @f(%n: index) {
  // expected-error @+1 {{gpu.launch_func: expected @module::@function}}
  gpu.launch_func 4 : i32 blocks in (%n, %n, %n) threads in (%n, %n, %n)
  func.return
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    // expected-error @+1 {{gpu.fence: C1: the scope "warp" is not one of "block", "device", "system"}}
    gpu.fence {scope = "warp"}
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f() kernel {
    // expected-error @+1 {{property 'scope' expected in operation 'gpu.fence'}}
    gpu.fence
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%p: i32) kernel {
    // expected-error @+1 {{'gpu.ballot' op operand 'predicate'}}
    %r = "gpu.ballot"(%p) : (i32) -> i32
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%p: i1) kernel {
    // expected-error @+1 {{but got i16}}
    %r = gpu.ballot %p : i16
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%p: i1) kernel {
    // expected-error @+1 {{Expected attribute i1 but got i32}}
    %r = gpu.vote any %p : i32
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%v: f32) kernel {
    // expected-error @+1 {{Expected one of i32, i64, but got f32}}
    %r = gpu.match any %v : (f32) -> i32
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%v: i32) kernel {
    // expected-error @+1 {{gpu.match: C1: any gives 2 results}}
    %r, %q = gpu.match any %v : (i32) -> (i32, i1)
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%v: i32) kernel {
    // expected-error @+1 {{gpu.match: C1: all gives 1 results}}
    %r = gpu.match all %v : (i32) -> i32
    gpu.return
  }
}
