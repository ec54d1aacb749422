// The parallel runtime: a fork-join pool of threads, in our own IR, compiled by our own backend.
//
// One job runs at a time. The caller publishes it, opens it, takes chunks itself, closes it and waits for the workers that entered; a
// worker that comes late finds the job closed and touches nothing. A second caller, or a nested call, finds the pool taken and runs
// its loop alone. Idle workers spin a little, then sleep on a futex.
//
// State, one cache line (8 x i64) a group, all zero at the start:
//   [0] epoch: counts jobs, the futex          [8] active: workers inside, plus OPEN = 2^32 while the job is open
//   [16] next index to hand out                [24] taken: 1 while a caller owns the pool
//   [32..35] the job: function, context, n, grain
//   [40] sleepers                              [48] threads, 0 before the first use   [49] threads wanted   [50] starting
"memref.global"() <{sym_name = "stepwell_pool_state", sym_visibility = "private", type = memref<64xi64>, initial_value = dense<0> : tensor<64xi64>}> : () -> ()

// How many threads to use from the next start on (the caller included).
func.func @stepwell_pool_configure(%threads: i64) {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %wanted = arith.constant 49 : index
  rt.atomic_store release %threads, %state[%wanted] : memref<64xi64>
  func.return
}

// In a forked child: the workers are gone, so the pool starts anew when next used.
func.func @stepwell_pool_reset() {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %zero = arith.constant 0 : i64
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c49 = arith.constant 49 : index
  %c50 = arith.constant 50 : index
  scf.for %i = %c0 to %c49 step %c1 {
    rt.atomic_store release %zero, %state[%i] : memref<64xi64>
  }
  rt.atomic_store release %zero, %state[%c50] : memref<64xi64>
  func.return
}

// Take chunks of the current job until there are none.
func.func private @take_chunks(%worker: i64) {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %c33 = arith.constant 33 : index
  %c34 = arith.constant 34 : index
  %c35 = arith.constant 35 : index
  %code = rt.atomic_load acquire %state[%c32] : memref<64xi64>
  %data = rt.atomic_load acquire %state[%c33] : memref<64xi64>
  %n = rt.atomic_load acquire %state[%c34] : memref<64xi64>
  %grain = rt.atomic_load acquire %state[%c35] : memref<64xi64>
  %function = rt.int_to_ptr %code : i64 to !rt.ptr
  %context = rt.int_to_ptr %data : i64 to !rt.ptr
  scf.while () : () -> i64 {
    %begin = rt.atomic_rmw add acq_rel %grain, %state[%c16] : memref<64xi64>
    %more = arith.cmpi slt, %begin, %n : i64
    scf.condition(%more) %begin : i64
  } do {
  ^bb0(%begin: i64):
    %after = arith.addi %begin, %grain : i64
    %end = arith.minsi %after, %n : i64
    rt.call_indirect %function(%context, %begin, %end, %worker) : (!rt.ptr, i64, i64, i64) -> ()
    scf.yield
  }
  func.return
}

// The epoch after `seen`, waiting for it: 2000 looks, then sleep.
func.func private @next_epoch(%seen: i64) -> i64 {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %c0 = arith.constant 0 : index
  %c40 = arith.constant 40 : index
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %minus_one = arith.constant -1 : i64
  %looks = arith.constant 2000 : i64
  %first = rt.atomic_load acquire %state[%c0] : memref<64xi64>
  %spun:2 = scf.while (%epoch = %first, %k = %zero) : (i64, i64) -> (i64, i64) {
    %same = arith.cmpi eq, %epoch, %seen : i64
    %patient = arith.cmpi slt, %k, %looks : i64
    %again = arith.andi %same, %patient : i1
    scf.condition(%again) %epoch, %k : i64, i64
  } do {
  ^bb0(%epoch: i64, %k: i64):
    rt.pause
    %now = rt.atomic_load acquire %state[%c0] : memref<64xi64>
    %k1 = arith.addi %k, %one : i64
    scf.yield %now, %k1 : i64, i64
  }
  %result = scf.while (%epoch = %spun#0) : (i64) -> i64 {
    %same = arith.cmpi eq, %epoch, %seen : i64
    scf.condition(%same) %epoch : i64
  } do {
  ^bb0(%epoch: i64):
    %s0 = rt.atomic_rmw add seq_cst %one, %state[%c40] : memref<64xi64>
    %address = rt.memref_to_ptr %state : memref<64xi64> to !rt.ptr
    %futex = arith.constant 202 : i64
    %wait_private = arith.constant 128 : i64
    %forever = rt.int_to_ptr %zero : i64 to !rt.ptr
    %r = rt.call_external @syscall(%futex, %address, %wait_private, %seen, %forever) variadic 1 : (i64, !rt.ptr, i64, i64, !rt.ptr) -> i64
    %s1 = rt.atomic_rmw add seq_cst %minus_one, %state[%c40] : memref<64xi64>
    %now = rt.atomic_load acquire %state[%c0] : memref<64xi64>
    scf.yield %now : i64
  }
  func.return %result : i64
}

// A worker's life: wait for a job, enter it if it is still open, leave, wait again. `argument` is its number.
func.func @stepwell_pool_worker(%argument: !rt.ptr) -> !rt.ptr {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %minus_one = arith.constant -1 : i64
  %open = arith.constant 4294967296 : i64
  %always = arith.constant true
  %worker = rt.ptr_to_int %argument : !rt.ptr to i64
  %last = scf.while (%seen = %zero) : (i64) -> i64 {
    scf.condition(%always) %seen : i64
  } do {
  ^bb0(%seen: i64):
    %epoch = func.call @next_epoch(%seen) : (i64) -> i64
    %before = rt.atomic_rmw add seq_cst %one, %state[%c8] : memref<64xi64>
    %is_open = arith.cmpi sge, %before, %open : i64
    scf.if %is_open {
      func.call @take_chunks(%worker) : (i64) -> ()
    }
    %after = rt.atomic_rmw add seq_cst %minus_one, %state[%c8] : memref<64xi64>
    scf.yield %epoch : i64
  }
  func.return %argument : !rt.ptr
}

// The number of threads, starting them at the first use; 1 while another caller is starting them.
func.func private @thread_count() -> i64 {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %c48 = arith.constant 48 : index
  %c49 = arith.constant 49 : index
  %c50 = arith.constant 50 : index
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %known = rt.atomic_load acquire %state[%c48] : memref<64xi64>
  %is_known = arith.cmpi ne, %known, %zero : i64
  %count = scf.if %is_known -> (i64) {
    scf.yield %known : i64
  } else {
    %old, %mine = rt.compare_exchange acq_rel %zero, %one, %state[%c50] : memref<64xi64>
    %started = scf.if %mine -> (i64) {
      %wanted0 = rt.atomic_load acquire %state[%c49] : memref<64xi64>
      %wanted = arith.maxsi %wanted0, %one : i64
      %function = rt.func_addr @stepwell_pool_worker : !rt.ptr
      %thread = memref.alloca() : memref<1xi64>
      %slot = rt.memref_to_ptr %thread : memref<1xi64> to !rt.ptr
      %null = rt.int_to_ptr %zero : i64 to !rt.ptr
      %c0 = arith.constant 0 : index
      %made = scf.for %k = %one to %wanted step %one iter_args(%have = %one) -> (i64) : i64 {
        %number = rt.int_to_ptr %have : i64 to !rt.ptr
        %status = rt.call_external @pthread_create(%slot, %null, %function, %number) : (!rt.ptr, !rt.ptr, !rt.ptr, !rt.ptr) -> i32
        %ok = arith.constant 0 : i32
        %good = arith.cmpi eq, %status, %ok : i32
        %next = scf.if %good -> (i64) {
          %id = memref.load %thread[%c0] : memref<1xi64>
          %d = rt.call_external @pthread_detach(%id) : (i64) -> i32
          %more = arith.addi %have, %one : i64
          scf.yield %more : i64
        } else {
          scf.yield %have : i64
        }
        scf.yield %next : i64
      }
      rt.atomic_store release %made, %state[%c48] : memref<64xi64>
      scf.yield %made : i64
    } else {
      scf.yield %one : i64
    }
    scf.yield %started : i64
  }
  func.return %count : i64
}

// Publish a job, work on it, wait for those who entered. The pool is taken by this caller.
func.func private @run_job(%function: !rt.ptr, %context: !rt.ptr, %n: i64, %grain: i64) {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %c33 = arith.constant 33 : index
  %c34 = arith.constant 34 : index
  %c35 = arith.constant 35 : index
  %c40 = arith.constant 40 : index
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %open = arith.constant 4294967296 : i64
  %close = arith.constant -4294967296 : i64
  %code = rt.ptr_to_int %function : !rt.ptr to i64
  %data = rt.ptr_to_int %context : !rt.ptr to i64
  rt.atomic_store release %code, %state[%c32] : memref<64xi64>
  rt.atomic_store release %data, %state[%c33] : memref<64xi64>
  rt.atomic_store release %n, %state[%c34] : memref<64xi64>
  rt.atomic_store release %grain, %state[%c35] : memref<64xi64>
  rt.atomic_store release %zero, %state[%c16] : memref<64xi64>
  %a0 = rt.atomic_rmw add seq_cst %open, %state[%c8] : memref<64xi64>
  %e0 = rt.atomic_rmw add seq_cst %one, %state[%c0] : memref<64xi64>
  %asleep = rt.atomic_load seq_cst %state[%c40] : memref<64xi64>
  %wake = arith.cmpi sgt, %asleep, %zero : i64
  scf.if %wake {
    %address = rt.memref_to_ptr %state : memref<64xi64> to !rt.ptr
    %futex = arith.constant 202 : i64
    %wake_private = arith.constant 129 : i64
    %all = arith.constant 2147483647 : i64
    %r = rt.call_external @syscall(%futex, %address, %wake_private, %all) variadic 1 : (i64, !rt.ptr, i64, i64) -> i64
  }
  func.call @take_chunks(%zero) : (i64) -> ()
  %a1 = rt.atomic_rmw add seq_cst %close, %state[%c8] : memref<64xi64>
  %spins = arith.constant 4000 : i64
  %k = scf.while (%k0 = %zero) : (i64) -> i64 {
    %inside = rt.atomic_load acquire %state[%c8] : memref<64xi64>
    %busy = arith.cmpi ne, %inside, %zero : i64
    scf.condition(%busy) %k0 : i64
  } do {
  ^bb0(%k0: i64):
    rt.pause
    %long = arith.cmpi sgt, %k0, %spins : i64
    scf.if %long {
      // The worker was descheduled: let it run.
      %y = rt.call_external @sched_yield() : () -> i32
    }
    %k1 = arith.addi %k0, %one : i64
    scf.yield %k1 : i64
  }
  func.return
}

// Run function(context, begin, end, worker) over [0, n) in chunks of `grain`; returns when all are done.
func.func @stepwell_parallel_for(%function: !rt.ptr, %context: !rt.ptr, %n: i64, %grain: i64) {
  %state = memref.get_global @stepwell_pool_state : memref<64xi64>
  %c24 = arith.constant 24 : index
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %several = arith.cmpi sgt, %n, %grain : i64
  %shared = scf.if %several -> (i1) {
    %threads = func.call @thread_count() : () -> i64
    %parallel = arith.cmpi sgt, %threads, %one : i64
    %mine = scf.if %parallel -> (i1) {
      %old, %taken = rt.compare_exchange acq_rel %zero, %one, %state[%c24] : memref<64xi64>
      scf.yield %taken : i1
    } else {
      scf.yield %parallel : i1
    }
    scf.yield %mine : i1
  } else {
    scf.yield %several : i1
  }
  scf.if %shared {
    func.call @run_job(%function, %context, %n, %grain) : (!rt.ptr, !rt.ptr, i64, i64) -> ()
    rt.atomic_store release %zero, %state[%c24] : memref<64xi64>
  } else {
    rt.call_indirect %function(%context, %zero, %n, %zero) : (!rt.ptr, i64, i64, i64) -> ()
  }
  func.return
}
