// The thread pool behind rt.parallel_for: fork-join, dynamic chunks, one job at a time.
//
// A caller takes the lock, posts a job by opening the ticket, works through chunks itself, closes the ticket and waits for the
// workers that joined. Whoever finds the lock taken (a nested loop, another thread's call) runs its loop alone. Workers spin a
// while for the next job, then sleep on a futex. A worker that comes late finds the ticket closed: nobody waits for it.
//
// @pool, 64-bit words, a cache line a group:
//    0 lock: 0, or the process that holds it (a lock of another process is one that a fork left behind)
//    8 ticket: job number * 65536 + workers inside * 2 + open
//   16 next index    24 function, 25 its argument, 26 count, 27 chunk
//   32 process the threads belong to, 33 threads started, 34 workers wanted, 35 key of the worker number, 36 first signal
// @signal, 32-bit words: 0 job number (workers sleep on it), 16 sleeping workers, 32 the caller sleeps on the ticket

"memref.global"() <{sym_name = "pool", sym_visibility = "private", type = memref<64xi64>, initial_value}> : () -> ()
"memref.global"() <{sym_name = "signal", sym_visibility = "private", type = memref<48xi32>, initial_value}> : () -> ()

// How many threads work on a loop, the caller included. Takes effect before the first parallel loop of a process.
func.func @stepwell_set_workers(%workers: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %wanted = arith.constant 34 : index
  memref.store %workers, %pool[%wanted] : memref<64xi64>
  func.return
}

// Loops that ran on the pool since the process started (job numbers), for tests.
func.func @stepwell_pool_jobs() -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %ticket_at = arith.constant 8 : index
  %bits = arith.constant 16 : i64
  %ticket = rt.atomic_load acquire %pool[%ticket_at] : memref<64xi64>
  %jobs = arith.shrui %ticket, %bits : i64
  func.return %jobs : i64
}

func.func @stepwell_parallel_for(%fn: !rt.ptr, %ctx: !rt.ptr, %n: i64, %grain: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %c0 = arith.constant 0 : i64
  %wanted_at = arith.constant 34 : index
  %workers = memref.load %pool[%wanted_at] : memref<64xi64>
  %some = arith.cmpi sgt, %n, %c0 : i64
  scf.if %some {
    // A chunk is at least the grain, and there are at most 64 a worker.
    %shift = arith.constant 6 : i64
    %parts = arith.shli %workers, %shift : i64
    %c1 = arith.constant 1 : i64
    %parts1 = arith.maxsi %parts, %c1 : i64
    %share = arith.divui %n, %parts1 : i64
    %chunk = arith.maxsi %grain, %share : i64
    %alone0 = arith.cmpi sle, %n, %chunk : i64
    %alone1 = arith.cmpi sle, %workers, %c1 : i64
    %alone = arith.ori %alone0, %alone1 : i1
    %got = scf.if %alone -> (i1) {
      %no = arith.constant false
      scf.yield %no : i1
    } else {
      %locked = func.call @lock() : () -> i1
      scf.yield %locked : i1
    }
    scf.if %got {
      func.call @start_threads() : () -> ()
      func.call @run_job(%fn, %ctx, %n, %chunk) : (!rt.ptr, !rt.ptr, i64, i64) -> ()
      %lock_at = arith.constant 0 : index
      rt.atomic_store release %c0, %pool[%lock_at] : memref<64xi64>
    } else {
      %worker = func.call @current_worker() : () -> i64
      rt.call_indirect %fn(%ctx, %c0, %n, %worker) : (!rt.ptr, i64, i64, i64) -> ()
    }
  }
  func.return
}

func.func private @process() -> i64 {
  %id = rt.call_external @getpid() : () -> i32
  %wide = arith.extsi %id : i32 to i64
  func.return %wide : i64
}

// Takes the lock unless someone of this process has it.
func.func private @lock() -> i1 {
  %pool = memref.get_global @pool : memref<64xi64>
  %lock_at = arith.constant 0 : index
  %me = func.call @process() : () -> i64
  %holder = rt.atomic_load monotonic %pool[%lock_at] : memref<64xi64>
  %mine = arith.cmpi eq, %holder, %me : i64
  %got = scf.if %mine -> (i1) {
    %no = arith.constant false
    scf.yield %no : i1
  } else {
    %old, %done = rt.compare_exchange acquire %holder, %me, %pool[%lock_at] : memref<64xi64>
    scf.yield %done : i1
  }
  func.return %got : i1
}

// The number of the worker this thread is, 0 when it is none.
func.func private @current_worker() -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %key_at = arith.constant 35 : index
  %stored = rt.atomic_load acquire %pool[%key_at] : memref<64xi64>
  %c0 = arith.constant 0 : i64
  %none = arith.cmpi eq, %stored, %c0 : i64
  %worker = scf.if %none -> (i64) {
    scf.yield %c0 : i64
  } else {
    %c1 = arith.constant 1 : i64
    %wide = arith.subi %stored, %c1 : i64
    %key = arith.trunci %wide : i64 to i32
    %value = rt.call_external @pthread_getspecific(%key) : (i32) -> !rt.ptr
    %number = rt.ptr_to_int %value : !rt.ptr to i64
    scf.yield %number : i64
  }
  func.return %worker : i64
}

// Under the lock: start the threads once per process.
func.func private @start_threads() {
  %pool = memref.get_global @pool : memref<64xi64>
  %signal = memref.get_global @signal : memref<48xi32>
  %process_at = arith.constant 32 : index
  %started_at = arith.constant 33 : index
  %wanted_at = arith.constant 34 : index
  %first_at = arith.constant 36 : index
  %job_at = arith.constant 0 : index
  %me = func.call @process() : () -> i64
  %owner = memref.load %pool[%process_at] : memref<64xi64>
  %foreign = arith.cmpi ne, %owner, %me : i64
  scf.if %foreign {
    %c0 = arith.constant 0 : i64
    %c1 = arith.constant 1 : i64
    %z = arith.constant 0 : i32
    %sleeping_at = arith.constant 16 : index
    %waits_at = arith.constant 32 : index
    rt.atomic_store monotonic %z, %signal[%sleeping_at] : memref<48xi32>
    rt.atomic_store monotonic %z, %signal[%waits_at] : memref<48xi32>
    func.call @reset_ticket() : () -> ()
    func.call @make_key() : () -> ()
    %job = rt.atomic_load monotonic %signal[%job_at] : memref<48xi32>
    %job_wide = arith.extui %job : i32 to i64
    memref.store %job_wide, %pool[%first_at] : memref<64xi64>
    %wanted = memref.load %pool[%wanted_at] : memref<64xi64>
    %last = scf.while (%id = %c1) : (i64) -> (i64) {
      %more = arith.cmpi slt, %id, %wanted : i64
      %go = scf.if %more -> (i1) {
        %ok = func.call @start_thread(%id) : (i64) -> i1
        scf.yield %ok : i1
      } else {
        %no = arith.constant false
        scf.yield %no : i1
      }
      scf.condition(%go) %id : i64
    } do {
    ^bb0(%id: i64):
      %next = arith.addi %id, %c1 : i64
      scf.yield %next : i64
    }
    %threads = arith.subi %last, %c1 : i64
    memref.store %threads, %pool[%started_at] : memref<64xi64>
    memref.store %me, %pool[%process_at] : memref<64xi64>
  }
  func.return
}

// After a fork the workers that were inside are gone: keep the job number, close the ticket.
func.func private @reset_ticket() {
  %pool = memref.get_global @pool : memref<64xi64>
  %ticket_at = arith.constant 8 : index
  %keep = arith.constant -65536 : i64
  %ticket = rt.atomic_load monotonic %pool[%ticket_at] : memref<64xi64>
  %closed = arith.andi %ticket, %keep : i64
  rt.atomic_store release %closed, %pool[%ticket_at] : memref<64xi64>
  func.return
}

func.func private @make_key() {
  %pool = memref.get_global @pool : memref<64xi64>
  %key_at = arith.constant 35 : index
  %c0 = arith.constant 0 : i64
  %stored = memref.load %pool[%key_at] : memref<64xi64>
  %none = arith.cmpi eq, %stored, %c0 : i64
  scf.if %none {
    %i0 = arith.constant 0 : index
    %slot = memref.alloca() : memref<1xi32>
    %null = rt.int_to_ptr %c0 : i64 to !rt.ptr
    %status = rt.call_external @pthread_key_create(%slot, %null) : (memref<1xi32>, !rt.ptr) -> i32
    %z = arith.constant 0 : i32
    %ok = arith.cmpi eq, %status, %z : i32
    scf.if %ok {
      %c1 = arith.constant 1 : i64
      %key = memref.load %slot[%i0] : memref<1xi32>
      %wide = arith.extui %key : i32 to i64
      %plus = arith.addi %wide, %c1 : i64
      rt.atomic_store release %plus, %pool[%key_at] : memref<64xi64>
    }
  }
  func.return
}

func.func private @start_thread(%id: i64) -> i1 {
  %thread = memref.alloca() : memref<1xi64>
  %i0 = arith.constant 0 : index
  %c0 = arith.constant 0 : i64
  %z = arith.constant 0 : i32
  %null = rt.int_to_ptr %c0 : i64 to !rt.ptr
  %argument = rt.int_to_ptr %id : i64 to !rt.ptr
  %body = rt.func_addr @worker : !rt.ptr
  %status = rt.call_external @pthread_create(%thread, %null, %body, %argument)
    : (memref<1xi64>, !rt.ptr, !rt.ptr, !rt.ptr) -> i32
  %ok = arith.cmpi eq, %status, %z : i32
  scf.if %ok {
    %handle = memref.load %thread[%i0] : memref<1xi64>
    %ignored = rt.call_external @pthread_detach(%handle) : (i64) -> i32
  }
  func.return %ok : i1
}

// Under the lock: post the job, work, wait for those who joined.
func.func private @run_job(%fn: !rt.ptr, %ctx: !rt.ptr, %n: i64, %chunk: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %signal = memref.get_global @signal : memref<48xi32>
  %ticket_at = arith.constant 8 : index
  %next_at = arith.constant 16 : index
  %fn_at = arith.constant 24 : index
  %ctx_at = arith.constant 25 : index
  %n_at = arith.constant 26 : index
  %chunk_at = arith.constant 27 : index
  %job_at = arith.constant 0 : index
  %sleeping_at = arith.constant 16 : index
  %c0 = arith.constant 0 : i64
  %fn_int = rt.ptr_to_int %fn : !rt.ptr to i64
  %ctx_int = rt.ptr_to_int %ctx : !rt.ptr to i64
  memref.store %fn_int, %pool[%fn_at] : memref<64xi64>
  memref.store %ctx_int, %pool[%ctx_at] : memref<64xi64>
  memref.store %n, %pool[%n_at] : memref<64xi64>
  memref.store %chunk, %pool[%chunk_at] : memref<64xi64>
  rt.atomic_store monotonic %c0, %pool[%next_at] : memref<64xi64>
  %ticket = rt.atomic_load monotonic %pool[%ticket_at] : memref<64xi64>
  %open_next = arith.constant 65537 : i64
  %opened = arith.addi %ticket, %open_next : i64
  rt.atomic_store seq_cst %opened, %pool[%ticket_at] : memref<64xi64>
  %one = arith.constant 1 : i32
  %before = rt.atomic_rmw add seq_cst %one, %signal[%job_at] : memref<48xi32>
  %sleeping = rt.atomic_load seq_cst %signal[%sleeping_at] : memref<48xi32>
  %zero = arith.constant 0 : i32
  %wake = arith.cmpi ne, %sleeping, %zero : i32
  scf.if %wake {
    %up = arith.addi %n, %chunk : i64
    %chunks = arith.divui %up, %chunk : i64
    func.call @futex_wake(%job_at, %chunks) : (index, i64) -> ()
  }
  func.call @work(%c0) : (i64) -> ()
  %closing = arith.constant -2 : i64
  %last = rt.atomic_rmw and seq_cst %closing, %pool[%ticket_at] : memref<64xi64>
  func.call @wait_for_workers() : () -> ()
  func.return
}

// Runs chunks of the posted job until none is left.
func.func private @work(%worker: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %next_at = arith.constant 16 : index
  %fn_at = arith.constant 24 : index
  %ctx_at = arith.constant 25 : index
  %n_at = arith.constant 26 : index
  %chunk_at = arith.constant 27 : index
  %fn_int = memref.load %pool[%fn_at] : memref<64xi64>
  %ctx_int = memref.load %pool[%ctx_at] : memref<64xi64>
  %n = memref.load %pool[%n_at] : memref<64xi64>
  %chunk = memref.load %pool[%chunk_at] : memref<64xi64>
  %fn = rt.int_to_ptr %fn_int : i64 to !rt.ptr
  %ctx = rt.int_to_ptr %ctx_int : i64 to !rt.ptr
  scf.while () : () -> () {
    %begin = rt.atomic_rmw add monotonic %chunk, %pool[%next_at] : memref<64xi64>
    %go = arith.cmpi slt, %begin, %n : i64
    scf.if %go {
      %stop = arith.addi %begin, %chunk : i64
      %end = arith.minsi %stop, %n : i64
      rt.call_indirect %fn(%ctx, %begin, %end, %worker) : (!rt.ptr, i64, i64, i64) -> ()
    }
    scf.condition(%go)
  } do {
    scf.yield
  }
  func.return
}

func.func private @workers_inside(%ticket: i64) -> i64 {
  %c1 = arith.constant 1 : i64
  %mask = arith.constant 32767 : i64
  %shifted = arith.shrui %ticket, %c1 : i64
  %inside = arith.andi %shifted, %mask : i64
  func.return %inside : i64
}

// The ticket is closed: wait until no worker is inside, spinning first.
func.func private @wait_for_workers() {
  %pool = memref.get_global @pool : memref<64xi64>
  %signal = memref.get_global @signal : memref<48xi32>
  %ticket_at = arith.constant 8 : index
  %waits_at = arith.constant 32 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %limit = arith.constant 4000 : i64
  %spins, %left = scf.while (%k = %c0) : (i64) -> (i64, i64) {
    %ticket = rt.atomic_load acquire %pool[%ticket_at] : memref<64xi64>
    %inside = func.call @workers_inside(%ticket) : (i64) -> i64
    %busy = arith.cmpi ne, %inside, %c0 : i64
    %patient = arith.cmpi slt, %k, %limit : i64
    %again = arith.andi %busy, %patient : i1
    scf.condition(%again) %k, %inside : i64, i64
  } do {
  ^bb0(%k: i64, %inside: i64):
    rt.pause
    %k1 = arith.addi %k, %c1 : i64
    scf.yield %k1 : i64
  }
  %sleep = arith.cmpi ne, %left, %c0 : i64
  scf.if %sleep {
    %one = arith.constant 1 : i32
    %zero = arith.constant 0 : i32
    rt.atomic_store seq_cst %one, %signal[%waits_at] : memref<48xi32>
    scf.while () : () -> () {
      %ticket = rt.atomic_load seq_cst %pool[%ticket_at] : memref<64xi64>
      %inside = func.call @workers_inside(%ticket) : (i64) -> i64
      %busy = arith.cmpi ne, %inside, %c0 : i64
      scf.if %busy {
        %place = func.call @ticket_address() : () -> !rt.ptr
        func.call @futex_sleep(%place, %ticket) : (!rt.ptr, i64) -> ()
      }
      scf.condition(%busy)
    } do {
      scf.yield
    }
    rt.atomic_store seq_cst %zero, %signal[%waits_at] : memref<48xi32>
  }
  func.return
}

func.func private @ticket_address() -> !rt.ptr {
  %pool = memref.get_global @pool : memref<64xi64>
  %place = memref.subview %pool[8] [1] [1] : memref<64xi64> to memref<1xi64, strided<[1], offset: 8>>
  %address = rt.memref_to_ptr %place : memref<1xi64, strided<[1], offset: 8>> to !rt.ptr
  func.return %address : !rt.ptr
}

// A thread of the pool: wait for a job, join it if it is still open, work, leave.
func.func private @worker(%argument: !rt.ptr) -> !rt.ptr {
  %pool = memref.get_global @pool : memref<64xi64>
  %key_at = arith.constant 35 : index
  %first_at = arith.constant 36 : index
  %id = rt.ptr_to_int %argument : !rt.ptr to i64
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %stored = memref.load %pool[%key_at] : memref<64xi64>
  %some = arith.cmpi ne, %stored, %c0 : i64
  scf.if %some {
    %wide = arith.subi %stored, %c1 : i64
    %key = arith.trunci %wide : i64 to i32
    %status = rt.call_external @pthread_setspecific(%key, %argument) : (i32, !rt.ptr) -> i32
  }
  %first_wide = memref.load %pool[%first_at] : memref<64xi64>
  %first = arith.trunci %first_wide : i64 to i32
  %never = scf.while (%last = %first) : (i32) -> (i32) {
    %job = func.call @next_job(%last) : (i32) -> i32
    scf.condition(%true) %job : i32
  } do {
  ^bb0(%job: i32):
    %joined = func.call @join() : () -> i1
    scf.if %joined {
      func.call @work(%id) : (i64) -> ()
      func.call @leave() : () -> ()
    }
    scf.yield %job : i32
  }
  func.return %argument : !rt.ptr
}

// Returns the job number once it is not `last`: spins, then sleeps.
func.func private @next_job(%last: i32) -> i32 {
  %signal = memref.get_global @signal : memref<48xi32>
  %job_at = arith.constant 0 : index
  %sleeping_at = arith.constant 16 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %limit = arith.constant 4000 : i64
  %spun, %spins = scf.while (%k = %c0) : (i64) -> (i32, i64) {
    %job = rt.atomic_load acquire %signal[%job_at] : memref<48xi32>
    %same = arith.cmpi eq, %job, %last : i32
    %patient = arith.cmpi slt, %k, %limit : i64
    %again = arith.andi %same, %patient : i1
    scf.condition(%again) %job, %k : i32, i64
  } do {
  ^bb0(%job: i32, %k: i64):
    rt.pause
    %k1 = arith.addi %k, %c1 : i64
    scf.yield %k1 : i64
  }
  %asleep = arith.cmpi eq, %spun, %last : i32
  %result = scf.if %asleep -> (i32) {
    %one = arith.constant 1 : i32
    %in = rt.atomic_rmw add seq_cst %one, %signal[%sleeping_at] : memref<48xi32>
    %woken = scf.while () : () -> (i32) {
      %job = rt.atomic_load seq_cst %signal[%job_at] : memref<48xi32>
      %same = arith.cmpi eq, %job, %last : i32
      scf.if %same {
        %place = rt.memref_to_ptr %signal : memref<48xi32> to !rt.ptr
        %wide = arith.extui %last : i32 to i64
        func.call @futex_sleep(%place, %wide) : (!rt.ptr, i64) -> ()
      }
      scf.condition(%same) %job : i32
    } do {
    ^bb0(%job: i32):
      scf.yield
    }
    %out = rt.atomic_rmw sub seq_cst %one, %signal[%sleeping_at] : memref<48xi32>
    scf.yield %woken : i32
  } else {
    scf.yield %spun : i32
  }
  func.return %result : i32
}

// Enters the posted job if its ticket is open.
func.func private @join() -> i1 {
  %pool = memref.get_global @pool : memref<64xi64>
  %ticket_at = arith.constant 8 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %c2 = arith.constant 2 : i64
  %true = arith.constant true
  %false = arith.constant false
  %joined = scf.while () : () -> (i1) {
    %ticket = rt.atomic_load acquire %pool[%ticket_at] : memref<64xi64>
    %bit = arith.andi %ticket, %c1 : i64
    %open = arith.cmpi ne, %bit, %c0 : i64
    %done = scf.if %open -> (i1) {
      %entered = arith.addi %ticket, %c2 : i64
      %old, %exchanged = rt.compare_exchange acq_rel %ticket, %entered, %pool[%ticket_at] : memref<64xi64>
      scf.yield %exchanged : i1
    } else {
      scf.yield %false : i1
    }
    %failed = arith.xori %done, %true : i1
    %again = arith.andi %open, %failed : i1
    scf.condition(%again) %done : i1
  } do {
  ^bb0(%done: i1):
    scf.yield
  }
  func.return %joined : i1
}

// Leaves a job; the last one out wakes a caller that sleeps.
func.func private @leave() {
  %pool = memref.get_global @pool : memref<64xi64>
  %signal = memref.get_global @signal : memref<48xi32>
  %ticket_at = arith.constant 8 : index
  %waits_at = arith.constant 32 : index
  %c2 = arith.constant 2 : i64
  %rest = arith.constant 65535 : i64
  %before = rt.atomic_rmw sub seq_cst %c2, %pool[%ticket_at] : memref<64xi64>
  %low = arith.andi %before, %rest : i64
  %last = arith.cmpi eq, %low, %c2 : i64
  scf.if %last {
    %waits = rt.atomic_load seq_cst %signal[%waits_at] : memref<48xi32>
    %zero = arith.constant 0 : i32
    %asleep = arith.cmpi ne, %waits, %zero : i32
    scf.if %asleep {
      %place = func.call @ticket_address() : () -> !rt.ptr
      %one = arith.constant 1 : i64
      func.call @futex_call(%place, %one) : (!rt.ptr, i64) -> ()
    }
  }
  func.return
}

func.func private @futex_wake(%index: index, %count: i64) {
  %signal = memref.get_global @signal : memref<48xi32>
  %place = memref.subview %signal[%index] [1] [1] : memref<48xi32> to memref<1xi32, strided<[1], offset: ?>>
  %address = rt.memref_to_ptr %place : memref<1xi32, strided<[1], offset: ?>> to !rt.ptr
  %most = arith.constant 32767 : i64
  %some = arith.minsi %count, %most : i64
  func.call @futex_call(%address, %some) : (!rt.ptr, i64) -> ()
  func.return
}

// futex(address, FUTEX_WAKE_PRIVATE, count)
func.func private @futex_call(%address: !rt.ptr, %count: i64) {
  %futex = arith.constant 202 : i64
  %wake = arith.constant 129 : i64
  %status = rt.call_external @syscall(%futex, %address, %wake, %count) variadic 1 : (i64, !rt.ptr, i64, i64) -> i64
  func.return
}

// futex(address, FUTEX_WAIT_PRIVATE, seen, no timeout): sleeps while the low 32 bits at the address are those of `seen`.
func.func private @futex_sleep(%address: !rt.ptr, %seen: i64) {
  %futex = arith.constant 202 : i64
  %wait = arith.constant 128 : i64
  %none = arith.constant 0 : i64
  %status = rt.call_external @syscall(%futex, %address, %wait, %seen, %none) variadic 1
    : (i64, !rt.ptr, i64, i64, i64) -> i64
  func.return
}
