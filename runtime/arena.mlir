// Building the arena of a process and starting its threads (runtime/threads.mlir says what an arena is).

// Whether an arena is this process's own.
func.func private @is_alive(%arena_int: i64) -> i1 {
  %alive_at = arith.constant 0 : index
  %process_at = arith.constant 1 : index
  %c0 = arith.constant 0 : i64
  %false = arith.constant false
  %true = arith.constant true
  %none = arith.cmpi eq, %arena_int, %c0 : i64
  %alive = scf.if %none -> (i1) {
    scf.yield %false : i1
  } else {
    %arena = func.call @as_pointer(%arena_int) : (i64) -> !rt.ptr
    %head = rt.ptr_to_memref %arena : !rt.ptr to memref<64xi64>
    %word = rt.atomic_load monotonic %head[%alive_at] : memref<64xi64>
    %process = rt.atomic_load monotonic %head[%process_at] : memref<64xi64>
    %whole = arith.cmpi ne, %word, %c0 : i64
    %any = arith.cmpi eq, %process, %c0 : i64
    %mine = scf.if %any -> (i1) {
      scf.yield %true : i1
    } else {
      %me = func.call @process() : () -> i64
      %same = arith.cmpi eq, %me, %process : i64
      scf.yield %same : i1
    }
    %both = arith.andi %whole, %mine : i1
    scf.yield %both : i1
  }
  func.return %alive : i1
}

// The arena of this process, built if there is none; 0 when there is no memory for one.
func.func private @current_arena() -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %arena_at = arith.constant 8 : index
  %found = rt.atomic_load acquire %pool[%arena_at] : memref<64xi64>
  %alive = func.call @is_alive(%found) : (i64) -> i1
  %arena = scf.if %alive -> (i64) {
    scf.yield %found : i64
  } else {
    %made = func.call @make_arena() : () -> i64
    scf.yield %made : i64
  }
  func.return %arena : i64
}

func.func private @make_arena() -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %lock_at = arith.constant 0 : index
  %arena_at = arith.constant 8 : index
  %c0 = arith.constant 0 : i64
  func.call @lock() : () -> ()
  %found = rt.atomic_load acquire %pool[%arena_at] : memref<64xi64>
  %alive = func.call @is_alive(%found) : (i64) -> i1
  %arena = scf.if %alive -> (i64) {
    scf.yield %found : i64
  } else {
    %keyed = func.call @make_key() : () -> i1
    %built = scf.if %keyed -> (i64) {
      %made = func.call @build() : () -> i64
      scf.yield %made : i64
    } else {
      scf.yield %c0 : i64
    }
    rt.atomic_store release %built, %pool[%arena_at] : memref<64xi64>
    scf.yield %built : i64
  }
  rt.atomic_store release %c0, %pool[%lock_at] : memref<64xi64>
  func.return %arena : i64
}

// Takes the lock; one that another process left behind is free.
func.func private @lock() {
  %pool = memref.get_global @pool : memref<64xi64>
  %lock_at = arith.constant 0 : index
  %true = arith.constant true
  %false = arith.constant false
  %me = func.call @process() : () -> i64
  scf.while () : () -> () {
    %holder = rt.atomic_load monotonic %pool[%lock_at] : memref<64xi64>
    %held = arith.cmpi eq, %holder, %me : i64
    %got = scf.if %held -> (i1) {
      %moment = arith.constant 20 : i32
      %status = rt.call_external @usleep(%moment) : (i32) -> i32
      scf.yield %false : i1
    } else {
      %old, %won = rt.compare_exchange acquire %holder, %me, %pool[%lock_at] : memref<64xi64>
      scf.yield %won : i1
    }
    %again = arith.xori %got, %true : i1
    scf.condition(%again)
  } do {
    scf.yield
  }
  func.return
}

// The key under which a thread finds its record; made once, also for children.
func.func private @make_key() -> i1 {
  %pool = memref.get_global @pool : memref<64xi64>
  %key_at = arith.constant 24 : index
  %c0 = arith.constant 0 : i64
  %true = arith.constant true
  %stored = rt.atomic_load acquire %pool[%key_at] : memref<64xi64>
  %none = arith.cmpi eq, %stored, %c0 : i64
  %there = scf.if %none -> (i1) {
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
    scf.yield %ok : i1
  } else {
    scf.yield %true : i1
  }
  func.return %there : i1
}

// Under the lock: maps an arena and starts the threads; 0 when there is no memory.
func.func private @build() -> i64 {
  %pool = memref.get_global @pool : memref<64xi64>
  %wanted_at = arith.constant 16 : index
  %c0 = arith.constant 0 : i64
  %failed = arith.constant -1 : i64
  %callers = arith.constant 64 : i64
  %workers = memref.load %pool[%wanted_at] : memref<64xi64>
  %records = arith.addi %workers, %callers : i64
  %size = func.call @record_address(%c0, %records) : (i64, i64) -> i64
  // mmap(anywhere, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, no file, 0)
  %null = rt.int_to_ptr %c0 : i64 to !rt.ptr
  %protection = arith.constant 3 : i32
  %flags = arith.constant 16418 : i32
  %no_file = arith.constant -1 : i32
  %mapped = rt.call_external @mmap(%null, %size, %protection, %flags, %no_file, %c0)
    : (!rt.ptr, i64, i32, i32, i32, i64) -> !rt.ptr
  %arena = rt.ptr_to_int %mapped : !rt.ptr to i64
  %none = arith.cmpi eq, %arena, %failed : i64
  %built = scf.if %none -> (i64) {
    scf.yield %c0 : i64
  } else {
    %head = rt.ptr_to_memref %mapped : !rt.ptr to memref<64xi64>
    func.call @fill_head(%head, %mapped, %size) : (memref<64xi64>, !rt.ptr, i64) -> ()
    func.call @start_threads(%head, %arena) : (memref<64xi64>, i64) -> ()
    scf.yield %arena : i64
  }
  func.return %built : i64
}

func.func private @fill_head(%head: memref<64xi64>, %mapped: !rt.ptr, %size: i64) {
  %pool = memref.get_global @pool : memref<64xi64>
  %wanted_at = arith.constant 16 : index
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %i2 = arith.constant 2 : index
  %i3 = arith.constant 3 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %z = arith.constant 0 : i32
  %workers = memref.load %pool[%wanted_at] : memref<64xi64>
  // madvise(MADV_WIPEONFORK), of Linux 4.14; without it each call asks which process it is in.
  %wipe_on_fork = arith.constant 18 : i32
  %status = rt.call_external @madvise(%mapped, %size, %wipe_on_fork) : (!rt.ptr, i64, i32) -> i32
  %wiped = arith.cmpi eq, %status, %z : i32
  %process = scf.if %wiped -> (i64) {
    scf.yield %c0 : i64
  } else {
    %me = func.call @process() : () -> i64
    scf.yield %me : i64
  }
  // About what going to sleep and being woken costs.
  %patience = arith.constant 30000 : i64
  %turns = func.call @turns_of(%patience) : (i64) -> i64
  memref.store %process, %head[%i1] : memref<64xi64>
  memref.store %turns, %head[%i3] : memref<64xi64>
  rt.atomic_store monotonic %workers, %head[%i2] : memref<64xi64>
  rt.atomic_store release %c1, %head[%i0] : memref<64xi64>
  func.return
}

// How many pauses take so many nanoseconds: processors differ by a factor of 30.
func.func private @turns_of(%patience: i64) -> i64 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %tries = arith.constant 4 : index
  %pauses = arith.constant 256 : index
  %pauses_int = arith.constant 256 : i64
  %most = arith.constant 20000 : i64
  %least = arith.constant 16 : i64
  %c1 = arith.constant 1 : i64
  %forever = arith.constant 1000000000 : i64
  // The least of four, since other processes only ever lengthen one.
  %time = scf.for %k = %i0 to %tries step %i1 iter_args(%best = %forever) -> (i64) {
    %start = func.call @nanoseconds() : () -> i64
    scf.for %p = %i0 to %pauses step %i1 {
      rt.pause
    }
    %stop = func.call @nanoseconds() : () -> i64
    %took = arith.subi %stop, %start : i64
    %less = arith.minsi %best, %took : i64
    scf.yield %less : i64
  }
  %some = arith.maxsi %time, %c1 : i64
  %budget = arith.muli %patience, %pauses_int : i64
  %turns = arith.divui %budget, %some : i64
  %bounded = arith.minsi %turns, %most : i64
  %enough = arith.maxsi %bounded, %least : i64
  func.return %enough : i64
}

func.func private @nanoseconds() -> i64 {
  %time = memref.alloca() : memref<2xi64>
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %billion = arith.constant 1000000000 : i64
  %monotonic = arith.constant 1 : i32
  %status = rt.call_external @clock_gettime(%monotonic, %time) : (i32, memref<2xi64>) -> i32
  %seconds = memref.load %time[%i0] : memref<2xi64>
  %rest = memref.load %time[%i1] : memref<2xi64>
  %whole = arith.muli %seconds, %billion : i64
  %now = arith.addi %whole, %rest : i64
  func.return %now : i64
}

// Starts workers 1 and up. Signals are for the other threads of the process, but for those that say what a thread itself did wrong.
func.func private @start_threads(%head: memref<64xi64>, %arena: i64) {
  %workers_at = arith.constant 2 : index
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %words = arith.constant 16 : index
  %c1 = arith.constant 1 : i64
  %ones = arith.constant -1 : i64
  %set_mask = arith.constant 2 : i32
  %null_int = arith.constant 0 : i64
  %false = arith.constant false
  %all = memref.alloca() : memref<16xi64>
  %before = memref.alloca() : memref<16xi64>
  scf.for %word = %i0 to %words step %i1 {
    memref.store %ones, %all[%word] : memref<16xi64>
  }
  // All but SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV and SIGSYS.
  %others = arith.constant -1073743097 : i64
  memref.store %others, %all[%i0] : memref<16xi64>
  %blocked = rt.call_external @pthread_sigmask(%set_mask, %all, %before) : (i32, memref<16xi64>, memref<16xi64>) -> i32
  %wanted = rt.atomic_load monotonic %head[%workers_at] : memref<64xi64>
  %started = scf.while (%id = %c1) : (i64) -> (i64) {
    %more = arith.cmpi slt, %id, %wanted : i64
    %go = scf.if %more -> (i1) {
      %ok = func.call @start_thread(%arena, %id) : (i64, i64) -> i1
      scf.yield %ok : i1
    } else {
      scf.yield %false : i1
    }
    scf.condition(%go) %id : i64
  } do {
  ^bb0(%id: i64):
    %next = arith.addi %id, %c1 : i64
    scf.yield %next : i64
  }
  rt.atomic_store monotonic %started, %head[%workers_at] : memref<64xi64>
  %null = rt.int_to_ptr %null_int : i64 to !rt.ptr
  %restored = rt.call_external @pthread_sigmask(%set_mask, %before, %null) : (i32, memref<16xi64>, !rt.ptr) -> i32
  func.return
}

func.func private @start_thread(%arena: i64, %id: i64) -> i1 {
  %thread = memref.alloca() : memref<1xi64>
  %i0 = arith.constant 0 : index
  %c0 = arith.constant 0 : i64
  %callers = arith.constant 64 : i64
  %z = arith.constant 0 : i32
  %number = arith.addi %id, %callers : i64
  %address = func.call @record_address(%arena, %number) : (i64, i64) -> i64
  %argument = rt.int_to_ptr %address : i64 to !rt.ptr
  %record = rt.ptr_to_memref %argument : !rt.ptr to memref<288xi64>
  func.call @fill_record(%record, %arena, %id, %c0) : (memref<288xi64>, i64, i64, i64) -> ()
  %null = rt.int_to_ptr %c0 : i64 to !rt.ptr
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

// A thread of the pool: steals, works, spins a while when there is nothing, then sleeps; at once when it is one too many.
func.func private @worker(%argument: !rt.ptr) -> !rt.ptr {
  %record = rt.ptr_to_memref %argument : !rt.ptr to memref<288xi64>
  %item = memref.alloca() : memref<8xi64>
  %pool = memref.get_global @pool : memref<64xi64>
  %pin_at = arith.constant 18 : index
  %worker_at = arith.constant 18 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %false = arith.constant false
  %address = rt.ptr_to_int %argument : !rt.ptr to i64
  func.call @set_own_record(%address) : (i64) -> ()
  %pin = memref.load %pool[%pin_at] : memref<64xi64>
  %pinned = arith.cmpi ne, %pin, %c0 : i64
  scf.if %pinned {
    %number = memref.load %record[%worker_at] : memref<288xi64>
    func.call @stay_on_core(%number) : (i64) -> ()
  }
  %never = scf.while (%turn = %c0) : (i64) -> (i64) {
    scf.condition(%true) %turn : i64
  } do {
  ^bb0(%turn: i64):
    %surplus = func.call @is_surplus(%record) : (memref<288xi64>) -> i1
    %got = scf.if %surplus -> (i1) {
      scf.yield %false : i1
    } else {
      %found = func.call @find(%record, %c0, %c0, %item) : (memref<288xi64>, i64, i64, memref<8xi64>) -> i1
      scf.yield %found : i1
    }
    %next = scf.if %got -> (i64) {
      func.call @run_item(%record, %item) : (memref<288xi64>, memref<8xi64>) -> ()
      scf.yield %c0 : i64
    } else {
      %patient = scf.if %surplus -> (i1) {
        scf.yield %false : i1
      } else {
        %relaxed = func.call @relax(%record, %turn) : (memref<288xi64>, i64) -> i1
        scf.yield %relaxed : i1
      }
      %more = scf.if %patient -> (i64) {
        %one_more = arith.addi %turn, %c1 : i64
        scf.yield %one_more : i64
      } else {
        func.call @sleep(%record) : (memref<288xi64>) -> ()
        scf.yield %c0 : i64
      }
      scf.yield %more : i64
    }
    scf.yield %next : i64
  }
  func.return %argument : !rt.ptr
}

// Binds this thread to the core of its number among those it may use, round and round.
func.func private @stay_on_core(%number: i64) {
  %allowed = memref.alloca() : memref<16xi64>
  %chosen = memref.alloca() : memref<16xi64>
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %words = arith.constant 16 : index
  %bits = arith.constant 1024 : i64
  %bytes = arith.constant 128 : i64
  %z = arith.constant 0 : i32
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  scf.for %word = %i0 to %words step %i1 {
    memref.store %c0, %allowed[%word] : memref<16xi64>
    memref.store %c0, %chosen[%word] : memref<16xi64>
  }
  %status = rt.call_external @sched_getaffinity(%z, %bytes, %allowed) : (i32, i64, memref<16xi64>) -> i32
  %cores = scf.for %word = %i0 to %words step %i1 iter_args(%so_far = %c0) -> (i64) {
    %mask = memref.load %allowed[%word] : memref<16xi64>
    %ones = math.ctpop %mask : i64
    %sum = arith.addi %so_far, %ones : i64
    scf.yield %sum : i64
  }
  %known = arith.cmpi sgt, %cores, %c0 : i64
  scf.if %known {
    %wanted = arith.remui %number, %cores : i64
    %bit, %rest = scf.while (%at = %c0, %skip = %wanted) : (i64, i64) -> (i64, i64) {
      %is_set = func.call @test_bit(%allowed, %at) : (memref<16xi64>, i64) -> i1
      %none_left = arith.cmpi eq, %skip, %c0 : i64
      %here = arith.andi %is_set, %none_left : i1
      %true = arith.constant true
      %not_here = arith.xori %here, %true : i1
      %inside = arith.cmpi slt, %at, %bits : i64
      %go = arith.andi %not_here, %inside : i1
      scf.condition(%go) %at, %skip : i64, i64
    } do {
    ^bb0(%at: i64, %skip: i64):
      %is_set = func.call @test_bit(%allowed, %at) : (memref<16xi64>, i64) -> i1
      %set_int = arith.extui %is_set : i1 to i64
      %skip1 = arith.subi %skip, %set_int : i64
      %at1 = arith.addi %at, %c1 : i64
      scf.yield %at1, %skip1 : i64, i64
    }
    %six = arith.constant 6 : i64
    %low = arith.constant 63 : i64
    %word_int = arith.shrui %bit, %six : i64
    %word = arith.index_cast %word_int : i64 to index
    %within = arith.andi %bit, %low : i64
    %mask = arith.shli %c1, %within : i64
    memref.store %mask, %chosen[%word] : memref<16xi64>
    %bound = rt.call_external @sched_setaffinity(%z, %bytes, %chosen) : (i32, i64, memref<16xi64>) -> i32
  }
  func.return
}

func.func private @test_bit(%set: memref<16xi64>, %bit: i64) -> i1 {
  %six = arith.constant 6 : i64
  %low = arith.constant 63 : i64
  %c1 = arith.constant 1 : i64
  %word_int = arith.shrui %bit, %six : i64
  %word = arith.index_cast %word_int : i64 to index
  %value = memref.load %set[%word] : memref<16xi64>
  %within = arith.andi %bit, %low : i64
  %shifted = arith.shrui %value, %within : i64
  %one = arith.andi %shifted, %c1 : i64
  %is_set = arith.cmpi eq, %one, %c1 : i64
  func.return %is_set : i1
}

// Moves this thread to another core, if it may run on one.
func.func private @leave_core(%core: i64) {
  %allowed = memref.alloca() : memref<16xi64>
  %others = memref.alloca() : memref<16xi64>
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %words = arith.constant 16 : index
  %bits = arith.constant 1024 : i64
  %bytes = arith.constant 128 : i64
  %z = arith.constant 0 : i32
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %ones = arith.constant -1 : i64
  scf.for %word = %i0 to %words step %i1 {
    memref.store %c0, %allowed[%word] : memref<16xi64>
  }
  %status = rt.call_external @sched_getaffinity(%z, %bytes, %allowed) : (i32, i64, memref<16xi64>) -> i32
  %known = arith.cmpi ult, %core, %bits : i64
  scf.if %known {
    scf.for %word = %i0 to %words step %i1 {
      %set = memref.load %allowed[%word] : memref<16xi64>
      memref.store %set, %others[%word] : memref<16xi64>
    }
    %six = arith.constant 6 : i64
    %low = arith.constant 63 : i64
    %word_int = arith.shrui %core, %six : i64
    %word = arith.index_cast %word_int : i64 to index
    %within = arith.andi %core, %low : i64
    %mask = arith.shli %c1, %within : i64
    %kept = arith.xori %mask, %ones : i64
    %set = memref.load %others[%word] : memref<16xi64>
    %rest = arith.andi %set, %kept : i64
    memref.store %rest, %others[%word] : memref<16xi64>
    // Refused where no core is left, and then nothing changes.
    %moved = rt.call_external @sched_setaffinity(%z, %bytes, %others) : (i32, i64, memref<16xi64>) -> i32
    %went = arith.cmpi eq, %moved, %z : i32
    scf.if %went {
      %free = rt.call_external @sched_setaffinity(%z, %bytes, %allowed) : (i32, i64, memref<16xi64>) -> i32
    }
  }
  func.return
}
