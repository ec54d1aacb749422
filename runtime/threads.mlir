// The threads of the parallel runtime: who has which record, starting, spinning, sleeping and waking, forks.
//
// @pool, 64-bit words, a cache line a group:
//    0 lock: 0, or the process that builds an arena (a lock of another process is one that a fork left behind)
//    8 address of the arena, 0 before the first
//   16 workers wanted, 17 cores there are, 18 whether threads stay on a core, 19 how many threads may work on a loop, the caller included;
//   24 key of the record of a thread, plus 1
//
// An arena is what the threads of one process share; a fork leaves it behind (the kernel hands the child zeros, MADV_WIPEONFORK) and
// the child builds its own. 64 words, then the records (runtime/deque.mlir): 64 for callers, then one a worker (that of worker 0
// is unused).
//    0 alive: 1 (0 in a forked child), 1 the process if the kernel does not hand out zeros, 2 workers, 3 turns to wait before sleeping
//    8 workers that sleep and were not woken yet   16 permits: woken, not awake yet, 17 core of the thread that woke last   24 caller records in use so far

"memref.global"() <{sym_name = "pool", sym_visibility = "private", type = memref<64xi64>, initial_value}> : () -> ()

// How many threads work on a loop, the caller included; how many cores there are; whether each thread stays on one of them. Takes
// effect before the first parallel loop of a process.
func.func @stepwell_configure_pool(%workers: i64, %cores: i64, %pin: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %workers_at = arith.constant 16 : index
  %cores_at = arith.constant 17 : index
  %pin_at = arith.constant 18 : index
  memref.store %workers, %pool[%workers_at] : memref<64xi64>
  memref.store %cores, %pool[%cores_at] : memref<64xi64>
  memref.store %pin, %pool[%pin_at] : memref<64xi64>
  func.call @stepwell_limit_threads(%workers) : (i64) -> ()
  func.return
}

// How many threads may work on a loop from now on, the caller included: those more than that fall asleep when they have done what they
// took, and stay so. Any thread may say so at any time.
func.func @stepwell_limit_threads(%threads: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %threads_at = arith.constant 19 : index
  rt.atomic_store monotonic %threads, %pool[%threads_at] : memref<64xi64>
  func.return
}

// What happened so far in this process: the sum of a word of all records (23 loops and futures shared out, 26 pieces stolen, 27 times slept).
func.func @stepwell_pool_counter(%word: i64) -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %arena_at = arith.constant 8 : index
  %workers_at = arith.constant 2 : index
  %c0 = arith.constant 0 : i64
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %callers = arith.constant 64 : i64
  %arena_int = rt.atomic_load acquire %pool[%arena_at] : memref<64xi64>
  %none = arith.cmpi eq, %arena_int, %c0 : i64
  %sum = scf.if %none -> (i64) {
    scf.yield %c0 : i64
  } else {
    %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
    %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
    %workers = rt.atomic_load monotonic %head[%workers_at] : memref<64xi64>
    %records = arith.addi %workers, %callers : i64
    %records_index = arith.index_cast %records : i64 to index
    %at = arith.index_cast %word : i64 to index
    %total = scf.for %k = %i0 to %records_index step %i1 iter_args(%so_far = %c0) -> (i64) {
      %number = arith.index_cast %k : index to i64
      %place = func.call @record_address(%arena_int, %number) : (i64, i64) -> i64
      %pointer = rt.int_to_ptr %place : i64 to !rt.ptr
      %record = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
      %value = rt.atomic_load monotonic %record[%at] : memref<288xi64>
      %next = arith.addi %so_far, %value : i64
      scf.yield %next : i64
    }
    scf.yield %total : i64
  }
  func.return %sum : i64
}

func.func private @as_pointer(%address: i64) -> !rt.ptr {
  %pointer = rt.int_to_ptr %address : i64 to !rt.ptr
  func.return %pointer : !rt.ptr
}

func.func private @process() -> i64 {
  %id = rt.call_external @getpid() : () -> i32
  %wide = arith.extsi %id : i32 to i64
  func.return %wide : i64
}

// Records -------------------------------------------------------------------------------------------------------------

func.func private @record_address(%arena: i64, %number: i64) -> i64 {
  %head = arith.constant 512 : i64
  %size = arith.constant 2304 : i64
  %bytes = arith.muli %number, %size : i64
  %offset = arith.addi %bytes, %head : i64
  %address = arith.addi %arena, %offset : i64
  func.return %address : i64
}

// Records that a thief looks at: workers 1 and up, then callers. None in a forked child's copy.
func.func private @record_count(%record: memref<288xi64>) -> i64 {
  %arena_at = arith.constant 17 : index
  %workers_at = arith.constant 2 : index
  %callers_at = arith.constant 24 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %wiped = arith.cmpi eq, %arena_int, %c0 : i64
  %count = scf.if %wiped -> (i64) {
    scf.yield %c0 : i64
  } else {
    %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
    %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
    %workers = rt.atomic_load monotonic %head[%workers_at] : memref<64xi64>
    %callers = rt.atomic_load monotonic %head[%callers_at] : memref<64xi64>
    %both = arith.addi %workers, %callers : i64
    %some = arith.subi %both, %c1 : i64
    scf.yield %some : i64
  }
  func.return %count : i64
}

// The address of record `number` of `record_count`.
func.func private @record_at(%record: memref<288xi64>, %number: i64) -> i64 {
  %arena_at = arith.constant 17 : index
  %workers_at = arith.constant 2 : index
  %first_worker = arith.constant 65 : i64
  %c1 = arith.constant 1 : i64
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
  %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
  %workers = rt.atomic_load monotonic %head[%workers_at] : memref<64xi64>
  %threads = arith.subi %workers, %c1 : i64
  %is_worker = arith.cmpi slt, %number, %threads : i64
  %worker = arith.addi %number, %first_worker : i64
  %caller = arith.subi %number, %threads : i64
  %place = arith.select %is_worker, %worker, %caller : i64
  %address = func.call @record_address(%arena_int, %place) : (i64, i64) -> i64
  func.return %address : i64
}

// The record of this thread, 0 when it has none.
func.func private @own_record() -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %key_at = arith.constant 24 : index
  %c0 = arith.constant 0 : i64
  %stored = rt.atomic_load acquire %pool[%key_at] : memref<64xi64>
  %none = arith.cmpi eq, %stored, %c0 : i64
  %own = scf.if %none -> (i64) {
    scf.yield %c0 : i64
  } else {
    %c1 = arith.constant 1 : i64
    %wide = arith.subi %stored, %c1 : i64
    %key = arith.trunci %wide : i64 to i32
    %value = rt.call_external @pthread_getspecific(%key) : (i32) -> !rt.ptr
    %address = rt.ptr_to_int %value : !rt.ptr to i64
    scf.yield %address : i64
  }
  func.return %own : i64
}

func.func private @set_own_record(%address: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %key_at = arith.constant 24 : index
  %c1 = arith.constant 1 : i64
  %stored = rt.atomic_load acquire %pool[%key_at] : memref<64xi64>
  %wide = arith.subi %stored, %c1 : i64
  %key = arith.trunci %wide : i64 to i32
  %value = rt.int_to_ptr %address : i64 to !rt.ptr
  %status = rt.call_external @pthread_setspecific(%key, %value) : (i32, !rt.ptr) -> i32
  func.return
}

// The number of the worker this thread is, 0 when it is none.
func.func private @current_worker() -> i64 {
  %c0 = arith.constant 0 : i64
  %own = func.call @own_record() : () -> i64
  %none = arith.cmpi eq, %own, %c0 : i64
  %worker = scf.if %none -> (i64) {
    scf.yield %c0 : i64
  } else {
    %worker_at = arith.constant 18 : index
    %pointer = rt.int_to_ptr %own : i64 to !rt.ptr
    %record = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
    %number = memref.load %record[%worker_at] : memref<288xi64>
    scf.yield %number : i64
  }
  func.return %worker : i64
}

// A record for a loop or future of this thread: its own if it has one (a worker, or inside of a loop), else that of a caller. 0: there is
// none, or this is a task that goes on in a forked child; then the thread works alone.
func.func private @enter() -> i64 {
  %open_at = arith.constant 22 : index
  %arena_at = arith.constant 17 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %own = func.call @own_record() : () -> i64
  %none = arith.cmpi eq, %own, %c0 : i64
  %entered = scf.if %none -> (i64) {
    %arena = func.call @current_arena() : () -> i64
    %there = arith.cmpi ne, %arena, %c0 : i64
    %claimed = scf.if %there -> (i64) {
      %place = func.call @claim(%arena) : (i64) -> i64
      scf.yield %place : i64
    } else {
      scf.yield %c0 : i64
    }
    scf.yield %claimed : i64
  } else {
    %pointer = rt.int_to_ptr %own : i64 to !rt.ptr
    %record = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
    %arena = memref.load %record[%arena_at] : memref<288xi64>
    %wiped = arith.cmpi eq, %arena, %c0 : i64
    %open = memref.load %record[%open_at] : memref<288xi64>
    %more = arith.addi %open, %c1 : i64
    memref.store %more, %record[%open_at] : memref<288xi64>
    %usable = arith.select %wiped, %c0, %own : i64
    scf.yield %usable : i64
  }
  func.return %entered : i64
}

// Takes a free caller record; 0 when all 64 are in use.
func.func private @claim(%arena: i64) -> i64 {
  %claimed_at = arith.constant 16 : index
  %callers_at = arith.constant 24 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %callers = arith.constant 64 : i64
  %k0, %place = scf.while (%k = %c0, %found = %c0) : (i64, i64) -> (i64, i64) {
    %more = arith.cmpi slt, %k, %callers : i64
    %none = arith.cmpi eq, %found, %c0 : i64
    %go = arith.andi %more, %none : i1
    scf.condition(%go) %k, %found : i64, i64
  } do {
  ^bb0(%k: i64, %found: i64):
    %address = func.call @record_address(%arena, %k) : (i64, i64) -> i64
    %pointer = rt.int_to_ptr %address : i64 to !rt.ptr
    %record = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
    %taken = rt.atomic_load monotonic %record[%claimed_at] : memref<288xi64>
    %free = arith.cmpi eq, %taken, %c0 : i64
    %got = scf.if %free -> (i64) {
      // Acquire, with the release in @leave: the deque is as its last owner left it.
      %old, %won = rt.compare_exchange acquire %c0, %c1, %record[%claimed_at] : memref<288xi64>
      %mine = arith.select %won, %address, %c0 : i64
      scf.yield %mine : i64
    } else {
      scf.yield %c0 : i64
    }
    %k1 = arith.addi %k, %c1 : i64
    scf.yield %k1, %got : i64, i64
  }
  %some = arith.cmpi ne, %place, %c0 : i64
  scf.if %some {
    %pointer = rt.int_to_ptr %place : i64 to !rt.ptr
    %record = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
    %arena_pointer = rt.int_to_ptr %arena : i64 to !rt.ptr
    %head = rt.ptr_to_memref %arena_pointer : !rt.ptr to memref<64xi64>
    %high = rt.atomic_load monotonic %head[%callers_at] : memref<64xi64>
    %grows = arith.cmpi sgt, %k0, %high : i64
    scf.if %grows {
      %before = rt.atomic_rmw max monotonic %k0, %head[%callers_at] : memref<64xi64>
    }
    func.call @fill_record(%record, %arena, %c0, %place) : (memref<288xi64>, i64, i64, i64) -> ()
    %open_at = arith.constant 22 : index
    memref.store %c1, %record[%open_at] : memref<288xi64>
    func.call @set_own_record(%place) : (i64) -> ()
  }
  func.return %place : i64
}

func.func private @fill_record(%record: memref<288xi64>, %arena: i64, %worker: i64, %root: i64) {
  %arena_at = arith.constant 17 : index
  %worker_at = arith.constant 18 : index
  %root_at = arith.constant 19 : index
  %depth_at = arith.constant 20 : index
  %seed_at = arith.constant 21 : index
  %c0 = arith.constant 0 : i64
  %odd = arith.constant -7046029254386353131 : i64
  %pointer = rt.memref_to_ptr %record : memref<288xi64> to !rt.ptr
  %address = rt.ptr_to_int %pointer : !rt.ptr to i64
  %seed = arith.muli %address, %odd : i64
  memref.store %arena, %record[%arena_at] : memref<288xi64>
  memref.store %worker, %record[%worker_at] : memref<288xi64>
  memref.store %root, %record[%root_at] : memref<288xi64>
  memref.store %c0, %record[%depth_at] : memref<288xi64>
  memref.store %seed, %record[%seed_at] : memref<288xi64>
  func.return
}

// Ends what @enter began; a caller gives its record back with its last loop or future.
func.func private @leave(%record: memref<288xi64>) {
  %claimed_at = arith.constant 16 : index
  %open_at = arith.constant 22 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %open = memref.load %record[%open_at] : memref<288xi64>
  %rest = arith.subi %open, %c1 : i64
  memref.store %rest, %record[%open_at] : memref<288xi64>
  %idle = arith.cmpi eq, %rest, %c0 : i64
  scf.if %idle {
    %claimed = rt.atomic_load monotonic %record[%claimed_at] : memref<288xi64>
    %caller = arith.cmpi ne, %claimed, %c0 : i64
    scf.if %caller {
      func.call @set_own_record(%c0) : (i64) -> ()
      rt.atomic_store release %c0, %record[%claimed_at] : memref<288xi64>
    }
  }
  func.return
}

// Spinning and sleeping -----------------------------------------------------------------------------------------------

// Lets a turn pass; false when it is time to sleep. There is no `sched_yield` here: Linux takes it as giving up the time a thread would
// have had, and a few of them keep a thread from its core for milliseconds. Sleeping costs no such thing.
func.func private @relax(%record: memref<288xi64>, %turn: i64) -> i1 {
  %arena_at = arith.constant 17 : index
  %turns_at = arith.constant 3 : index
  %c0 = arith.constant 0 : i64
  %false = arith.constant false
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %there = arith.cmpi ne, %arena_int, %c0 : i64
  %patient = scf.if %there -> (i1) {
    %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
    %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
    %turns = memref.load %head[%turns_at] : memref<64xi64>
    %going = arith.cmpi slt, %turn, %turns : i64
    scf.if %going {
      rt.pause
    }
    scf.yield %going : i1
  } else {
    scf.yield %false : i1
  }
  func.return %patient : i1
}

// How many workers more there are than may work on a loop: so many sleep whatever there is to do.
func.func private @idle_workers(%head: memref<64xi64>) -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %threads_at = arith.constant 19 : index
  %workers_at = arith.constant 2 : index
  %threads = rt.atomic_load monotonic %pool[%threads_at] : memref<64xi64>
  %workers = rt.atomic_load monotonic %head[%workers_at] : memref<64xi64>
  %idle = arith.subi %workers, %threads : i64
  func.return %idle : i64
}

// How many workers are left asleep by a push: the idle ones, and those more than there are cores, which would keep others from running. A
// caller and as many workers as there are cores for, one at least, may be awake.
func.func private @left_asleep(%head: memref<64xi64>) -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %cores_at = arith.constant 17 : index
  %workers_at = arith.constant 2 : index
  %two = arith.constant 2 : i64
  %idle = func.call @idle_workers(%head) : (memref<64xi64>) -> i64
  %cores = memref.load %pool[%cores_at] : memref<64xi64>
  %enough = arith.maxsi %cores, %two : i64
  %workers = rt.atomic_load monotonic %head[%workers_at] : memref<64xi64>
  %more = arith.subi %workers, %enough : i64
  %stay = arith.maxsi %more, %idle : i64
  func.return %stay : i64
}

// Whether a worker is to sleep whatever there is to do: more may be awake than work on a loop.
func.func private @is_surplus(%record: memref<288xi64>) -> i1 {
  %arena_at = arith.constant 17 : index
  %sleepers_at = arith.constant 8 : index
  %c0 = arith.constant 0 : i64
  %false = arith.constant false
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %there = arith.cmpi ne, %arena_int, %c0 : i64
  %surplus = scf.if %there -> (i1) {
    %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
    %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
    %idle = func.call @idle_workers(%head) : (memref<64xi64>) -> i64
    %sleepers = rt.atomic_load monotonic %head[%sleepers_at] : memref<64xi64>
    %more = arith.cmpi slt, %sleepers, %idle : i64
    scf.yield %more : i1
  } else {
    scf.yield %false : i1
  }
  func.return %surplus : i1
}

// After pushes: whether somebody sleeps who could help, a worker or in a join of this call.
func.func private @is_wanted(%record: memref<288xi64>) -> i1 {
  %arena_at = arith.constant 17 : index
  %root_at = arith.constant 19 : index
  %sleepers_at = arith.constant 8 : index
  %joiners_at = arith.constant 24 : index
  %c0 = arith.constant 0 : i64
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %there = arith.cmpi ne, %arena_int, %c0 : i64
  %wanted = scf.if %there -> (i1) {
    %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
    %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
    %root_int = memref.load %record[%root_at] : memref<288xi64>
    %pointer = rt.int_to_ptr %root_int : i64 to !rt.ptr
    %root = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
    // [N1] With the sleeper's fences [Z2] and [J3]: either it sees the item pushed, or this thread sees that it sleeps.
    rt.fence seq_cst
    // [N2]
    %sleepers = rt.atomic_load monotonic %head[%sleepers_at] : memref<64xi64>
    %joiners = rt.atomic_load monotonic %root[%joiners_at] : memref<288xi64>
    %stay = func.call @left_asleep(%head) : (memref<64xi64>) -> i64
    %spare = arith.cmpi sgt, %sleepers, %stay : i64
    %joined = arith.cmpi sgt, %joiners, %c0 : i64
    %some = arith.ori %spare, %joined : i1
    scf.yield %some : i1
  } else {
    %no = arith.constant false
    scf.yield %no : i1
  }
  func.return %wanted : i1
}

// Wakes workers for so many chunks, and all that sleep in a join of this call.
func.func private @wake(%record: memref<288xi64>, %chunks: i64) {
  %arena_at = arith.constant 17 : index
  %root_at = arith.constant 19 : index
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %root = memref.load %record[%root_at] : memref<288xi64>
  %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
  %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
  func.call @wake_workers(%head, %chunks) : (memref<64xi64>, i64) -> ()
  func.call @wake_joiners(%root) : (i64) -> ()
  func.return
}

// Wakes at most `count` workers. Who is woken is no sleeper from here on, so that the next push does not wake it again.
func.func private @wake_workers(%head: memref<64xi64>, %count: i64) {
  %sleepers_at = arith.constant 8 : index
  %permits_at = arith.constant 16 : index
  %c0 = arith.constant 0 : i64
  %true = arith.constant true
  %stay = func.call @left_asleep(%head) : (memref<64xi64>) -> i64
  %woken = scf.while () : () -> (i64) {
    // [N3]
    %sleepers = rt.atomic_load monotonic %head[%sleepers_at] : memref<64xi64>
    %spare = arith.subi %sleepers, %stay : i64
    %take = arith.minsi %spare, %count : i64
    %rest = arith.subi %sleepers, %take : i64
    %some = arith.cmpi sgt, %take, %c0 : i64
    %taken = scf.if %some -> (i1) {
      %old, %won = rt.compare_exchange seq_cst %sleepers, %rest, %head[%sleepers_at] : memref<64xi64>
      scf.yield %won : i1
    } else {
      scf.yield %true : i1
    }
    %again = arith.xori %taken, %true : i1
    scf.condition(%again) %take : i64
  } do {
  ^bb0(%take: i64):
    scf.yield
  }
  %some = arith.cmpi sgt, %woken, %c0 : i64
  scf.if %some {
    %core = rt.call_external @sched_getcpu() : () -> i32
    %core_int = arith.extsi %core : i32 to i64
    %core_at = arith.constant 17 : index
    rt.atomic_store monotonic %core_int, %head[%core_at] : memref<64xi64>
    // [N4]
    %before = rt.atomic_rmw add seq_cst %woken, %head[%permits_at] : memref<64xi64>
    %start = rt.memref_to_ptr %head : memref<64xi64> to !rt.ptr
    %address = func.call @word_address(%start, %permits_at) : (!rt.ptr, index) -> !rt.ptr
    func.call @futex_wake(%address, %woken) : (!rt.ptr, i64) -> ()
  }
  func.return
}

// A worker with nothing to do, or one too many, sleeps until a push wakes it.
func.func private @sleep(%record: memref<288xi64>) {
  %arena_at = arith.constant 17 : index
  %sleepers_at = arith.constant 8 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %false = arith.constant false
  func.call @must_be_alive(%record) : (memref<288xi64>) -> ()
  %arena_int = memref.load %record[%arena_at] : memref<288xi64>
  %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
  %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
  // [Z1] As long as no more sleep than are idle, nobody wakes this thread, and it need not look for work: who comes after it does.
  %before = rt.atomic_rmw add seq_cst %c1, %head[%sleepers_at] : memref<64xi64>
  %surplus = func.call @idle_workers(%head) : (memref<64xi64>) -> i64
  %idle = arith.maxsi %surplus, %c0 : i64
  %looks = arith.cmpi sge, %before, %idle : i64
  // [Z2] With [N1].
  rt.fence seq_cst
  %work = scf.if %looks -> (i1) {
    // [Z3]
    %seen = func.call @is_work(%record, %c0, %c0) : (memref<288xi64>, i64, i64) -> i1
    scf.yield %seen : i1
  } else {
    scf.yield %false : i1
  }
  %woken = scf.if %work -> (i1) {
    // [Z4] No sleeper after all, unless somebody counts on waking this thread already.
    %gone = scf.while () : () -> (i1) {
      %sleepers = rt.atomic_load monotonic %head[%sleepers_at] : memref<64xi64>
      %some = arith.cmpi sgt, %sleepers, %idle : i64
      %left = scf.if %some -> (i1) {
        %fewer = arith.subi %sleepers, %c1 : i64
        %old, %won = rt.compare_exchange seq_cst %sleepers, %fewer, %head[%sleepers_at] : memref<64xi64>
        scf.yield %won : i1
      } else {
        scf.yield %false : i1
      }
      %lost = arith.xori %left, %true : i1
      %again = arith.andi %some, %lost : i1
      scf.condition(%again) %left : i1
    } do {
    ^bb0(%left: i1):
      scf.yield
    }
    scf.yield %gone : i1
  } else {
    scf.yield %false : i1
  }
  %waits = arith.xori %woken, %true : i1
  scf.if %waits {
    func.call @count_sleep(%record) : (memref<288xi64>) -> ()
    func.call @take_permit(%head) : (memref<64xi64>) -> ()
    func.call @keep_apart(%head) : (memref<64xi64>) -> ()
  }
  func.return
}

// Where other processes keep all cores busy, a thread that is woken starts on the core of who woke it, and would take turns with it
// for as long as both have work: it moves to another one, and is as free to move as before then.
func.func private @keep_apart(%head: memref<64xi64>) {
  %core_at = arith.constant 17 : index
  %waker = rt.atomic_load monotonic %head[%core_at] : memref<64xi64>
  %core = rt.call_external @sched_getcpu() : () -> i32
  %core_int = arith.extsi %core : i32 to i64
  %together = arith.cmpi eq, %core_int, %waker : i64
  scf.if %together {
    func.call @leave_core(%core_int) : (i64) -> ()
  }
  func.return
}

func.func private @count_sleep(%record: memref<288xi64>) {
  %sleeps_at = arith.constant 27 : index
  %c1 = arith.constant 1 : i64
  %sleeps = rt.atomic_load monotonic %record[%sleeps_at] : memref<288xi64>
  %more = arith.addi %sleeps, %c1 : i64
  rt.atomic_store monotonic %more, %record[%sleeps_at] : memref<288xi64>
  func.return
}

// [Z5] Sleeps until there is a permit, and takes it.
func.func private @take_permit(%head: memref<64xi64>) {
  %permits_at = arith.constant 16 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %false = arith.constant false
  %start = rt.memref_to_ptr %head : memref<64xi64> to !rt.ptr
  %address = func.call @word_address(%start, %permits_at) : (!rt.ptr, index) -> !rt.ptr
  scf.while () : () -> () {
    %permits = rt.atomic_load acquire %head[%permits_at] : memref<64xi64>
    %some = arith.cmpi sgt, %permits, %c0 : i64
    %taken = scf.if %some -> (i1) {
      %fewer = arith.subi %permits, %c1 : i64
      %old, %won = rt.compare_exchange acquire %permits, %fewer, %head[%permits_at] : memref<64xi64>
      scf.yield %won : i1
    } else {
      func.call @futex_sleep(%address, %c0) : (!rt.ptr, i64) -> ()
      scf.yield %false : i1
    }
    %again = arith.xori %taken, %true : i1
    scf.condition(%again)
  } do {
    scf.yield
  }
  func.return
}

// Sleeps once, unless the loop is done or there is something to steal; until a loop of the call is done or something is pushed.
func.func private @sleep_in_join(%record: memref<288xi64>, %loop: memref<16xi64>, %root_int: i64, %depth: i64) {
  %left_at = arith.constant 8 : index
  %joiners_at = arith.constant 24 : index
  %epoch_at = arith.constant 25 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  func.call @must_be_alive(%record) : (memref<288xi64>) -> ()
  %pointer = rt.int_to_ptr %root_int : i64 to !rt.ptr
  %root = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
  // [J1]
  %before = rt.atomic_rmw add seq_cst %c1, %root[%joiners_at] : memref<288xi64>
  // [J2]
  %epoch = rt.atomic_load acquire %root[%epoch_at] : memref<288xi64>
  // [J3] With [C1] and [N1]: either this thread sees that it need not sleep, or the other one sees that it does.
  rt.fence seq_cst
  // [J4]
  %left = rt.atomic_load acquire %loop[%left_at] : memref<16xi64>
  %done = arith.cmpi eq, %left, %c0 : i64
  %work = func.call @is_work(%record, %root_int, %depth) : (memref<288xi64>, i64, i64) -> i1
  %awake = arith.ori %done, %work : i1
  %sleeps = arith.xori %awake, %true : i1
  scf.if %sleeps {
    func.call @count_sleep(%record) : (memref<288xi64>) -> ()
    // [J5] Not if the epoch has changed since [J2].
    %address = func.call @word_address(%pointer, %epoch_at) : (!rt.ptr, index) -> !rt.ptr
    func.call @futex_sleep(%address, %epoch) : (!rt.ptr, i64) -> ()
  }
  %after = rt.atomic_rmw sub seq_cst %c1, %root[%joiners_at] : memref<288xi64>
  func.return
}

// [C2] After a piece was done or pushed: wakes all that sleep in a join of the call.
func.func private @wake_joiners(%root_int: i64) {
  %joiners_at = arith.constant 24 : index
  %epoch_at = arith.constant 25 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %pointer = rt.int_to_ptr %root_int : i64 to !rt.ptr
  %root = rt.ptr_to_memref %pointer : !rt.ptr to memref<288xi64>
  %joiners = rt.atomic_load seq_cst %root[%joiners_at] : memref<288xi64>
  %some = arith.cmpi sgt, %joiners, %c0 : i64
  scf.if %some {
    // [C3]
    %epoch = rt.atomic_rmw add seq_cst %c1, %root[%epoch_at] : memref<288xi64>
    %all = arith.constant 2147483647 : i64
    %address = func.call @word_address(%pointer, %epoch_at) : (!rt.ptr, index) -> !rt.ptr
    func.call @futex_wake(%address, %all) : (!rt.ptr, i64) -> ()
  }
  func.return
}

// A task that forks and goes on in the child waits there for threads that are not: rather no program than one that hangs.
func.func private @must_be_alive(%record: memref<288xi64>) {
  %arena_at = arith.constant 17 : index
  %arena = memref.load %record[%arena_at] : memref<288xi64>
  %alive = func.call @is_alive(%arena) : (i64) -> i1
  %true = arith.constant true
  %dead = arith.xori %alive, %true : i1
  scf.if %dead {
    rt.call_external @abort() : () -> ()
  }
  func.return
}

func.func private @word_address(%start: !rt.ptr, %word: index) -> !rt.ptr {
  %shift = arith.constant 3 : i64
  %word_int = arith.index_cast %word : index to i64
  %bytes = arith.shli %word_int, %shift : i64
  %start_int = rt.ptr_to_int %start : !rt.ptr to i64
  %place = arith.addi %start_int, %bytes : i64
  %address = rt.int_to_ptr %place : i64 to !rt.ptr
  func.return %address : !rt.ptr
}

// futex(address, FUTEX_WAKE_PRIVATE, count)
func.func private @futex_wake(%address: !rt.ptr, %count: i64) {
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
