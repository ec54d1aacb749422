// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{rt.parallel_for: C2: count -1 is negative}}
"rt.parallel_for"() <{count = -1 : index, grain = 1 : index}> ({
^bb0(%i: index):
  "rt.yield"() : () -> ()
}) : () -> ()

// -----

// expected-error @+1 {{rt.parallel_for: C1: expects a static count or a count operand, and not both}}
"rt.parallel_for"() <{grain = 1 : index}> ({
^bb0(%i: index):
  "rt.yield"() : () -> ()
}) : () -> ()

// -----

// expected-error @+1 {{rt.parallel_for: C3: grain 0 is not positive}}
rt.parallel_for (%i) = 0 to 4 grain 0 {
}

// -----

// expected-error @+1 {{rt.parallel_for: C4: the body takes one index}}
"rt.parallel_for"() <{count = 4 : index, grain = 1 : index}> ({
^bb0(%i: index, %j: index):
  "rt.yield"() : () -> ()
}) : () -> ()

// -----

func.func @f(%s: i32) {
  // expected-error @+1 {{rt.parallel_for: C5: the body yields a status but there is no result}}
  "rt.parallel_for"() <{count = 4 : index, grain = 1 : index}> ({
  ^bb0(%i: index):
    rt.yield %s : i32
  }) : () -> ()
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.parallel_for: C5: the body yields no status but there is a result}}
  %s = rt.parallel_for (%i) = 0 to 4 grain 1 -> i32 {
  }
  func.return
}

// -----

// expected-error @+2 {{a status of rt.parallel_for is an i32}}
func.func @f() {
  %s = rt.parallel_for (%i) = 0 to 4 grain 1 -> i64 {
  }
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.spawn: C1: the future must be awaited once, in the block that made it}}
  %f = rt.spawn {
  }
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.spawn: C1: the future must be awaited once, in the block that made it}}
  %f = rt.spawn {
  }
  %a = rt.await %f
  %b = rt.await %f
  func.return
}

// -----

func.func @f(%c: i1) {
  // expected-error @+1 {{rt.spawn: C1: the future must be awaited once, in the block that made it}}
  %f = rt.spawn {
  }
  scf.if %c {
    %a = rt.await %f
  }
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.spawn: C2: the body takes nothing, not 1 values}}
  %f = "rt.spawn"() ({
  ^bb0(%i: index):
    rt.yield
  }) : () -> !rt.future
  %a = rt.await %f
  func.return
}

// -----

func.func @f(%m: memref<?xi64>) {
  // expected-error @+1 {{rt.atomic_load: C1: 0 indices for a memref of rank 1}}
  %l = rt.atomic_load acquire %m[] : memref<?xi64>
  func.return
}

// -----

func.func @f(%m: memref<?xf32>, %i: index) {
  // expected-error @+1 {{rt.atomic_load: C2: element type f32 is not i8, i16, i32 or i64}}
  %l = rt.atomic_load acquire %m[%i] : memref<?xf32>
  func.return
}

// -----

func.func @f(%m: memref<?xi64>, %i: index) {
  // expected-error @+1 {{rt.atomic_load: C3: a load cannot be release}}
  %l = rt.atomic_load release %m[%i] : memref<?xi64>
  func.return
}

// -----

func.func @f(%m: memref<?xi64>, %i: index, %v: i64) {
  // expected-error @+1 {{rt.atomic_store: C3: a store cannot be acquire}}
  rt.atomic_store acquire %v, %m[%i] : memref<?xi64>
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.fence: C1: a fence cannot be monotonic}}
  rt.fence monotonic
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.call_external: C1: a C function has one result, not 2}}
  %r, %s = rt.call_external @div() : () -> (i32, i32)
  func.return
}

// -----

func.func @f(%p: !rt.ptr) {
  // expected-error @+1 {{rt.call_indirect: C1: a C function has one result, not 2}}
  %r, %s = rt.call_indirect %p() : () -> (i32, i32)
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{rt.parallel_reduce: C1: count -1 is negative}}
  %r = "rt.parallel_reduce"(%v) <{count = -1 : index, grain = 1 : index}> ({
  ^bb0(%i: index):
    "rt.partial"(%v) : (f32) -> ()
  }, {
  ^bb0(%a: f32, %b: f32):
    "rt.partial"(%a) : (f32) -> ()
  }) : (f32) -> f32
  func.return
}

// -----

func.func @f(%v: f32) {
  // expected-error @+1 {{rt.parallel_reduce: C5: results of (i32) from (f32)}}
  %r = "rt.parallel_reduce"(%v) <{count = 1 : index, grain = 1 : index}> ({
  ^bb0(%i: index):
    "rt.partial"(%v) : (f32) -> ()
  }, {
  ^bb0(%a: f32, %b: f32):
    "rt.partial"(%a) : (f32) -> ()
  }) : (f32) -> i32
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{rt.parallel_reduce: C4: expects values that are integers, indices or floats, not none}}
  "rt.parallel_reduce"() <{count = 1 : index, grain = 1 : index}> ({
  ^bb0(%i: index):
    "rt.partial"() : () -> ()
  }, {
    "rt.partial"() : () -> ()
  }) : () -> ()
  func.return
}

// -----

func.func @f(%v: f32, %w: i32) {
  // expected-error @+1 {{rt.parallel_reduce: C2: grain 0 is not positive}}
  %r = rt.parallel_reduce (%i) = 0 to 8 grain 0 init(%v : f32) {
    rt.partial %v : f32
  } combine (%a : f32, %b : f32) {
    rt.partial %a : f32
  }
  func.return
}

// -----

func.func @f(%v: f32, %w: i32) {
  // expected-error @+1 {{rt.parallel_reduce: C3: 8193 blocks are more than 4096; take a grain of 3 or more}}
  %r = rt.parallel_reduce (%i) = 0 to 8193 grain 1 init(%v : f32) {
    rt.partial %v : f32
  } combine (%a : f32, %b : f32) {
    rt.partial %a : f32
  }
  func.return
}

// -----

func.func @f(%v: f32, %w: i32) {
  // expected-error @+1 {{rt.parallel_reduce: C6: the body gives (f32) with rt.partial, not (i32)}}
  %r = rt.parallel_reduce (%i) = 0 to 8 grain 2 init(%v : f32) {
    rt.partial %w : i32
  } combine (%a : f32, %b : f32) {
    rt.partial %a : f32
  }
  func.return
}

// -----

func.func @f(%v: f32, %w: i32) {
  // expected-error @+1 {{rt.parallel_reduce: C7: the combiner takes (f32, f32), not (f32)}}
  %r = rt.parallel_reduce (%i) = 0 to 8 grain 2 init(%v : f32) {
    rt.partial %v : f32
  } combine (%a : f32) {
    rt.partial %a : f32
  }
  func.return
}

// -----

func.func @f(%v: f32, %w: i32) {
  // expected-error @+1 {{rt.parallel_reduce: C7: the combiner gives (f32) with rt.partial, not (i32)}}
  %r = rt.parallel_reduce (%i) = 0 to 8 grain 2 init(%v : f32) {
    rt.partial %v : f32
  } combine (%a : f32, %b : f32) {
    rt.partial %w : i32
  }
  func.return
}
