// The parallel runtime: loops and futures on work-stealing deques (runtime/deque.mlir), by threads that spin, then sleep
// (runtime/threads.mlir). docs/parallel-runtime.md says how it works and what it costs.
//
// A loop is a descriptor on the stack of the thread that runs it. That thread works through the indices a chunk at a time. It keeps a few
// chunks to itself and offers the rest, in halves; it offers of the few, too, whenever its deque is empty (so whenever somebody took
// what it offered). Who takes a piece treats it alike. At the end the thread waits until all chunks are done, and meanwhile helps with
// loops of the same call.
//
// A loop's descriptor, 16 words: 0 status, 1 function, 2 its argument, 3 indices in a chunk, 4 indices, 5 chunks a thread may keep to
// itself, 6 record of the call's caller, 7 depth; a line of what changes: 8 chunks not done yet, 9 record of the thread that waits for
// it, 10 bottom of the deque before.

// Calls `fn(ctx, begin, end, worker)` on pieces of [0, n) of at least `grain` indices (but the last) until all are done.
// The first status that is not 0 stops the loop and is returned.
func.func @stepwell_parallel_for(%fn: !rt.ptr, %ctx: !rt.ptr, %n: i64, %grain: i64) -> i32 {
  %pool = memref.get_global @pool : memref<64xi64>
  %threads_at = arith.constant 19 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %zero = arith.constant 0 : i32
  %workers = rt.atomic_load monotonic %pool[%threads_at] : memref<64xi64>
  %some = arith.cmpi sgt, %n, %c0 : i64
  %result = scf.if %some -> (i32) {
    // A chunk is at least the grain, and there are at most 64 a worker.
    %shift = arith.constant 6 : i64
    %parts = arith.shli %workers, %shift : i64
    %parts1 = arith.maxsi %parts, %c1 : i64
    %share = arith.divui %n, %parts1 : i64
    %least = arith.maxsi %grain, %c1 : i64
    %chunk = arith.maxsi %least, %share : i64
    %alone0 = arith.cmpi sle, %n, %chunk : i64
    %alone1 = arith.cmpi sle, %workers, %c1 : i64
    %alone = arith.ori %alone0, %alone1 : i1
    %entered = scf.if %alone -> (i64) {
      scf.yield %c0 : i64
    } else {
      %record = func.call @enter() : () -> i64
      scf.yield %record : i64
    }
    %shared = arith.cmpi ne, %entered, %c0 : i64
    %status = scf.if %shared -> (i32) {
      %address = rt.int_to_ptr %entered : i64 to !rt.ptr
      %record = rt.ptr_to_memref %address : !rt.ptr to memref<288xi64>
      %done = func.call @run_loop(%record, %fn, %ctx, %n, %chunk, %workers)
        : (memref<288xi64>, !rt.ptr, !rt.ptr, i64, i64, i64) -> i32
      func.call @leave(%record) : (memref<288xi64>) -> ()
      scf.yield %done : i32
    } else {
      %worker = func.call @current_worker() : () -> i64
      %done = rt.call_indirect %fn(%ctx, %c0, %n, %worker) : (!rt.ptr, i64, i64, i64) -> i32
      scf.yield %done : i32
    }
    scf.yield %status : i32
  } else {
    scf.yield %zero : i32
  }
  func.return %result : i32
}

// Starts `fn(ctx, 0, 1, worker)`, on this or another thread. The future (16 words) lives until it is awaited by this thread; futures
// of a thread are awaited before the task or function that made them ends.
func.func @stepwell_spawn(%fn: !rt.ptr, %ctx: !rt.ptr, %future: memref<16xi64>) {
  %pool = memref.get_global @pool : memref<64xi64>
  %threads_at = arith.constant 19 : index
  %record_at = arith.constant 9 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %workers = rt.atomic_load monotonic %pool[%threads_at] : memref<64xi64>
  %several = arith.cmpi sgt, %workers, %c1 : i64
  %entered = scf.if %several -> (i64) {
    %record = func.call @enter() : () -> i64
    scf.yield %record : i64
  } else {
    scf.yield %c0 : i64
  }
  memref.store %entered, %future[%record_at] : memref<16xi64>
  %shared = arith.cmpi ne, %entered, %c0 : i64
  %offered = scf.if %shared -> (i1) {
    %address = rt.int_to_ptr %entered : i64 to !rt.ptr
    %record = rt.ptr_to_memref %address : !rt.ptr to memref<288xi64>
    func.call @describe(%record, %future, %fn, %ctx) : (memref<288xi64>, memref<16xi64>, !rt.ptr, !rt.ptr) -> ()
    func.call @measure(%future, %c1, %c1, %c1, %c1) : (memref<16xi64>, i64, i64, i64, i64) -> ()
    %pushed = func.call @offer(%record, %future, %c0, %c1) : (memref<288xi64>, memref<16xi64>, i64, i64) -> i1
    scf.if %pushed {
      %wanted = func.call @is_wanted(%record) : (memref<288xi64>) -> i1
      scf.if %wanted {
        func.call @wake(%record, %c1) : (memref<288xi64>, i64) -> ()
      }
    }
    scf.yield %pushed : i1
  } else {
    %no = arith.constant false
    scf.yield %no : i1
  }
  %true = arith.constant true
  %now = arith.xori %offered, %true : i1
  scf.if %now {
    %status_at = arith.constant 0 : index
    %left_at = arith.constant 8 : index
    %worker = func.call @current_worker() : () -> i64
    %status = rt.call_indirect %fn(%ctx, %c0, %c1, %worker) : (!rt.ptr, i64, i64, i64) -> i32
    %wide = arith.extsi %status : i32 to i64
    memref.store %wide, %future[%status_at] : memref<16xi64>
    memref.store %c0, %future[%left_at] : memref<16xi64>
  }
  func.return
}

// Waits for a future of this thread, or does its work, and returns its status.
func.func @stepwell_await(%future: memref<16xi64>) -> i32 {
  %status_at = arith.constant 0 : index
  %record_at = arith.constant 9 : index
  %floor_at = arith.constant 10 : index
  %c0 = arith.constant 0 : i64
  %entered = memref.load %future[%record_at] : memref<16xi64>
  %shared = arith.cmpi ne, %entered, %c0 : i64
  scf.if %shared {
    %address = rt.int_to_ptr %entered : i64 to !rt.ptr
    %record = rt.ptr_to_memref %address : !rt.ptr to memref<288xi64>
    %floor = memref.load %future[%floor_at] : memref<16xi64>
    %item = memref.alloca() : memref<8xi64>
    // What lies above it in the deque was spawned after it by this very task.
    scf.while () : () -> () {
      %got = func.call @pop_above(%record, %floor, %item) : (memref<288xi64>, i64, memref<8xi64>) -> i1
      scf.if %got {
        func.call @run_item(%record, %item) : (memref<288xi64>, memref<8xi64>) -> ()
      }
      scf.condition(%got)
    } do {
      scf.yield
    }
    func.call @wait(%record, %future) : (memref<288xi64>, memref<16xi64>) -> ()
    func.call @leave(%record) : (memref<288xi64>) -> ()
  }
  %status = rt.atomic_load monotonic %future[%status_at] : memref<16xi64>
  %narrow = arith.trunci %status : i64 to i32
  func.return %narrow : i32
}

// Fills in a descriptor: what to do, and where.
func.func private @describe(%record: memref<288xi64>, %loop: memref<16xi64>, %fn: !rt.ptr, %ctx: !rt.ptr) {
  %status_at = arith.constant 0 : index
  %fn_at = arith.constant 1 : index
  %ctx_at = arith.constant 2 : index
  %loop_root_at = arith.constant 6 : index
  %loop_depth_at = arith.constant 7 : index
  %record_at = arith.constant 9 : index
  %floor_at = arith.constant 10 : index
  %bottom_at = arith.constant 8 : index
  %root_at = arith.constant 19 : index
  %depth_at = arith.constant 20 : index
  %loops_at = arith.constant 23 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %fn_int = rt.ptr_to_int %fn : !rt.ptr to i64
  %ctx_int = rt.ptr_to_int %ctx : !rt.ptr to i64
  %place = rt.memref_to_ptr %record : memref<288xi64> to !rt.ptr
  %place_int = rt.ptr_to_int %place : !rt.ptr to i64
  %root = memref.load %record[%root_at] : memref<288xi64>
  %depth = memref.load %record[%depth_at] : memref<288xi64>
  %bottom = rt.atomic_load monotonic %record[%bottom_at] : memref<288xi64>
  memref.store %c0, %loop[%status_at] : memref<16xi64>
  memref.store %fn_int, %loop[%fn_at] : memref<16xi64>
  memref.store %ctx_int, %loop[%ctx_at] : memref<16xi64>
  memref.store %root, %loop[%loop_root_at] : memref<16xi64>
  memref.store %depth, %loop[%loop_depth_at] : memref<16xi64>
  memref.store %place_int, %loop[%record_at] : memref<16xi64>
  memref.store %bottom, %loop[%floor_at] : memref<16xi64>
  %loops = rt.atomic_load monotonic %record[%loops_at] : memref<288xi64>
  %more = arith.addi %loops, %c1 : i64
  rt.atomic_store monotonic %more, %record[%loops_at] : memref<288xi64>
  func.return
}

// Fills in a descriptor: how much there is to do.
func.func private @measure(%loop: memref<16xi64>, %n: i64, %chunk: i64, %chunks: i64, %keep: i64) {
  %chunk_at = arith.constant 3 : index
  %n_at = arith.constant 4 : index
  %keep_at = arith.constant 5 : index
  %left_at = arith.constant 8 : index
  memref.store %chunk, %loop[%chunk_at] : memref<16xi64>
  memref.store %n, %loop[%n_at] : memref<16xi64>
  memref.store %keep, %loop[%keep_at] : memref<16xi64>
  memref.store %chunks, %loop[%left_at] : memref<16xi64>
  func.return
}

// A loop on this thread, which others may join.
func.func private @run_loop(
  %record: memref<288xi64>, %fn: !rt.ptr, %ctx: !rt.ptr, %n: i64, %chunk: i64, %workers: i64
) -> i32 {
  %loop = memref.alloca() : memref<16xi64>
  %status_at = arith.constant 0 : index
  %left_at = arith.constant 8 : index
  %depth_at = arith.constant 20 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %up = arith.addi %n, %chunk : i64
  %up1 = arith.subi %up, %c1 : i64
  %chunks = arith.divui %up1, %chunk : i64
  // An eighth of a worker's share: what is kept waits when this thread loses its core, and the less, the oftener the deque is used.
  %three = arith.constant 3 : i64
  %c2 = arith.constant 2 : i64
  %eighths = arith.shli %workers, %three : i64
  %part = arith.divui %chunks, %eighths : i64
  %keep = arith.maxsi %part, %c2 : i64
  func.call @describe(%record, %loop, %fn, %ctx) : (memref<288xi64>, memref<16xi64>, !rt.ptr, !rt.ptr) -> ()
  func.call @measure(%loop, %n, %chunk, %chunks, %keep) : (memref<16xi64>, i64, i64, i64, i64) -> ()
  %depth = memref.load %record[%depth_at] : memref<288xi64>
  %deeper = arith.addi %depth, %c1 : i64
  memref.store %deeper, %record[%depth_at] : memref<288xi64>
  %ran = func.call @work(%record, %loop, %c0, %chunks) : (memref<288xi64>, memref<16xi64>, i64, i64) -> i64
  memref.store %depth, %record[%depth_at] : memref<288xi64>
  // Nobody else has the descriptor when this thread did all.
  %helped = arith.cmpi ne, %ran, %chunks : i64
  scf.if %helped {
    %before = rt.atomic_rmw sub acq_rel %ran, %loop[%left_at] : memref<16xi64>
    func.call @wait(%record, %loop) : (memref<288xi64>, memref<16xi64>) -> ()
  }
  %status = rt.atomic_load monotonic %loop[%status_at] : memref<16xi64>
  %narrow = arith.trunci %status : i64 to i32
  func.return %narrow : i32
}

// Works on chunks [begin, end) of a loop, offers of them, takes back what nobody took; returns how many chunks this thread did.
func.func private @work(%record: memref<288xi64>, %loop: memref<16xi64>, %begin: i64, %end: i64) -> i64 {
  %item = memref.alloca() : memref<8xi64>
  %bottom_at = arith.constant 8 : index
  %begin_at = arith.constant 1 : index
  %end_at = arith.constant 2 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %floor = rt.atomic_load monotonic %record[%bottom_at] : memref<288xi64>
  %b0, %e0, %total = scf.while (%from = %begin, %to = %end, %ran = %c0) : (i64, i64, i64) -> (i64, i64, i64) {
    %some = arith.cmpi slt, %from, %to : i64
    %again, %next_from, %next_to, %next_ran = scf.if %some -> (i1, i64, i64, i64) {
      %kept = func.call @offer_halves(%record, %loop, %from, %to) : (memref<288xi64>, memref<16xi64>, i64, i64) -> i64
      %mine = arith.cmpi slt, %from, %kept : i64
      %count = scf.if %mine -> (i64) {
        func.call @run_chunk(%record, %loop, %from) : (memref<288xi64>, memref<16xi64>, i64) -> ()
        scf.yield %c1 : i64
      } else {
        scf.yield %c0 : i64
      }
      %next = arith.addi %from, %count : i64
      %sum = arith.addi %ran, %count : i64
      scf.yield %true, %next, %kept, %sum : i1, i64, i64, i64
    } else {
      %got = func.call @pop_above(%record, %floor, %item) : (memref<288xi64>, i64, memref<8xi64>) -> i1
      %item_begin, %item_end = scf.if %got -> (i64, i64) {
        %low = memref.load %item[%begin_at] : memref<8xi64>
        %high = memref.load %item[%end_at] : memref<8xi64>
        scf.yield %low, %high : i64, i64
      } else {
        scf.yield %c0, %c0 : i64, i64
      }
      scf.yield %got, %item_begin, %item_end, %ran : i1, i64, i64, i64
    }
    scf.condition(%again) %next_from, %next_to, %next_ran : i64, i64, i64
  } do {
  ^bb0(%from: i64, %to: i64, %ran: i64):
    scf.yield %from, %to, %ran : i64, i64, i64
  }
  func.return %total : i64
}

// One call of a loop's function, unless the loop has failed.
func.func private @run_chunk(%record: memref<288xi64>, %loop: memref<16xi64>, %number: i64) {
  %status_at = arith.constant 0 : index
  %fn_at = arith.constant 1 : index
  %ctx_at = arith.constant 2 : index
  %chunk_at = arith.constant 3 : index
  %n_at = arith.constant 4 : index
  %worker_at = arith.constant 18 : index
  %c0 = arith.constant 0 : i64
  %failed = rt.atomic_load monotonic %loop[%status_at] : memref<16xi64>
  %going = arith.cmpi eq, %failed, %c0 : i64
  scf.if %going {
    %fn_int = memref.load %loop[%fn_at] : memref<16xi64>
    %ctx_int = memref.load %loop[%ctx_at] : memref<16xi64>
    %chunk = memref.load %loop[%chunk_at] : memref<16xi64>
    %n = memref.load %loop[%n_at] : memref<16xi64>
    %worker = memref.load %record[%worker_at] : memref<288xi64>
    %fn = rt.int_to_ptr %fn_int : i64 to !rt.ptr
    %ctx = rt.int_to_ptr %ctx_int : i64 to !rt.ptr
    %begin = arith.muli %number, %chunk : i64
    %ahead = arith.addi %begin, %chunk : i64
    %end = arith.minsi %ahead, %n : i64
    %status = rt.call_indirect %fn(%ctx, %begin, %end, %worker) : (!rt.ptr, i64, i64, i64) -> i32
    %wide = arith.extsi %status : i32 to i64
    %bad = arith.cmpi ne, %wide, %c0 : i64
    scf.if %bad {
      %old, %first = rt.compare_exchange monotonic %c0, %wide, %loop[%status_at] : memref<16xi64>
    }
  }
  func.return
}

// Offers second halves of chunks [begin, end) until there are no more than a thread may keep, or if this thread's deque is empty, one
// half at least; returns the end of what is kept. Who sleeps is woken when all is offered, even what would be kept: it may take this
// thread's core.
func.func private @offer_halves(%record: memref<288xi64>, %loop: memref<16xi64>, %begin: i64, %end: i64) -> i64 {
  %keep_at = arith.constant 5 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %keep = memref.load %loop[%keep_at] : memref<16xi64>
  %kept, %going = scf.while (%to = %end, %may = %true) : (i64, i1) -> (i64, i1) {
    %rest = arith.subi %to, %begin : i64
    %divisible = arith.cmpi sgt, %rest, %c1 : i64
    %large = arith.cmpi sgt, %rest, %keep : i64
    %waiting = func.call @waiting_items(%record) : (memref<288xi64>) -> i64
    %empty = arith.cmpi sle, %waiting, %c0 : i64
    %wanted = arith.ori %large, %empty : i1
    %split = arith.andi %divisible, %wanted : i1
    %go = arith.andi %split, %may : i1
    scf.condition(%go) %to, %may : i64, i1
  } do {
  ^bb0(%to: i64, %may: i1):
    %rest = arith.subi %to, %begin : i64
    %up = arith.addi %rest, %c1 : i64
    %half = arith.shrui %up, %c1 : i64
    %middle = arith.addi %begin, %half : i64
    %pushed = func.call @offer(%record, %loop, %middle, %to) : (memref<288xi64>, memref<16xi64>, i64, i64) -> i1
    %stop = arith.select %pushed, %middle, %to : i64
    scf.yield %stop, %pushed : i64, i1
  }
  %some = arith.cmpi sgt, %end, %kept : i64
  %sleepers = scf.if %some -> (i1) {
    %wanted = func.call @is_wanted(%record) : (memref<288xi64>) -> i1
    scf.yield %wanted : i1
  } else {
    %no = arith.constant false
    scf.yield %no : i1
  }
  %stays = scf.if %sleepers -> (i64) {
    %chunks = arith.subi %end, %begin : i64
    %all = func.call @offer(%record, %loop, %begin, %kept) : (memref<288xi64>, memref<16xi64>, i64, i64) -> i1
    func.call @wake(%record, %chunks) : (memref<288xi64>, i64) -> ()
    %rest = arith.select %all, %begin, %kept : i64
    scf.yield %rest : i64
  } else {
    scf.yield %kept : i64
  }
  func.return %stays : i64
}

// Pushes a piece; false when the deque is full.
func.func private @offer(%record: memref<288xi64>, %loop: memref<16xi64>, %begin: i64, %end: i64) -> i1 {
  %root_at = arith.constant 6 : index
  %depth_at = arith.constant 7 : index
  %address = rt.memref_to_ptr %loop : memref<16xi64> to !rt.ptr
  %loop_int = rt.ptr_to_int %address : !rt.ptr to i64
  %root = memref.load %loop[%root_at] : memref<16xi64>
  %depth = memref.load %loop[%depth_at] : memref<16xi64>
  %pushed = func.call @push(%record, %loop_int, %begin, %end, %root, %depth)
    : (memref<288xi64>, i64, i64, i64, i64, i64) -> i1
  func.return %pushed : i1
}

// Pops an item pushed after the bottom was `floor`: those below belong to loops further out.
func.func private @pop_above(%record: memref<288xi64>, %floor: i64, %out: memref<8xi64>) -> i1 {
  %bottom_at = arith.constant 8 : index
  %bottom = rt.atomic_load monotonic %record[%bottom_at] : memref<288xi64>
  %some = arith.cmpi sgt, %bottom, %floor : i64
  %got = scf.if %some -> (i1) {
    %popped = func.call @pop(%record, %out) : (memref<288xi64>, memref<8xi64>) -> i1
    scf.yield %popped : i1
  } else {
    %no = arith.constant false
    scf.yield %no : i1
  }
  func.return %got : i1
}

// Works on an item as a part of its call, and says what was done. The loop may be gone right after that.
func.func private @run_item(%record: memref<288xi64>, %item: memref<8xi64>) {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %i2 = arith.constant 2 : index
  %i3 = arith.constant 3 : index
  %i4 = arith.constant 4 : index
  %left_at = arith.constant 8 : index
  %root_at = arith.constant 19 : index
  %depth_at = arith.constant 20 : index
  %c1 = arith.constant 1 : i64
  %loop_int = memref.load %item[%i0] : memref<8xi64>
  %begin = memref.load %item[%i1] : memref<8xi64>
  %end = memref.load %item[%i2] : memref<8xi64>
  %root = memref.load %item[%i3] : memref<8xi64>
  %depth = memref.load %item[%i4] : memref<8xi64>
  %address = rt.int_to_ptr %loop_int : i64 to !rt.ptr
  %loop = rt.ptr_to_memref %address : !rt.ptr to memref<16xi64>
  %old_root = memref.load %record[%root_at] : memref<288xi64>
  %old_depth = memref.load %record[%depth_at] : memref<288xi64>
  %deeper = arith.addi %depth, %c1 : i64
  memref.store %root, %record[%root_at] : memref<288xi64>
  memref.store %deeper, %record[%depth_at] : memref<288xi64>
  %ran = func.call @work(%record, %loop, %begin, %end) : (memref<288xi64>, memref<16xi64>, i64, i64) -> i64
  memref.store %old_root, %record[%root_at] : memref<288xi64>
  memref.store %old_depth, %record[%depth_at] : memref<288xi64>
  // [C1] Releases what was computed to who waits; sequentially consistent for the sake of who is about to sleep [J3].
  %before = rt.atomic_rmw sub seq_cst %ran, %loop[%left_at] : memref<16xi64>
  %last = arith.cmpi eq, %before, %ran : i64
  scf.if %last {
    func.call @wake_joiners(%root) : (i64) -> ()
  }
  func.return
}

// Waits until all chunks of a loop of this thread are done, and helps with loops of the same call that are as deep or deeper. (Others
// could keep this thread for long, or nest without end.)
func.func private @wait(%record: memref<288xi64>, %loop: memref<16xi64>) {
  %item = memref.alloca() : memref<8xi64>
  %left_at = arith.constant 8 : index
  %loop_root_at = arith.constant 6 : index
  %loop_depth_at = arith.constant 7 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %root = memref.load %loop[%loop_root_at] : memref<16xi64>
  %depth = memref.load %loop[%loop_depth_at] : memref<16xi64>
  %spun = scf.while (%spins = %c0) : (i64) -> (i64) {
    // Acquire, with [C1].
    %left = rt.atomic_load acquire %loop[%left_at] : memref<16xi64>
    %busy = arith.cmpi ne, %left, %c0 : i64
    scf.condition(%busy) %spins : i64
  } do {
  ^bb0(%spins: i64):
    %got = func.call @find(%record, %root, %depth, %item) : (memref<288xi64>, i64, i64, memref<8xi64>) -> i1
    %next = scf.if %got -> (i64) {
      func.call @run_item(%record, %item) : (memref<288xi64>, memref<8xi64>) -> ()
      scf.yield %c0 : i64
    } else {
      %patient = func.call @relax(%record, %spins) : (memref<288xi64>, i64) -> i1
      %more = scf.if %patient -> (i64) {
        %one_more = arith.addi %spins, %c1 : i64
        scf.yield %one_more : i64
      } else {
        func.call @sleep_in_join(%record, %loop, %root, %depth) : (memref<288xi64>, memref<16xi64>, i64, i64) -> ()
        scf.yield %c0 : i64
      }
      scf.yield %more : i64
    }
    scf.yield %next : i64
  }
  func.return
}

// Steals an item, from a random victim on, of the call of `root` (0: of any) and no less deep than `depth`.
func.func private @find(%record: memref<288xi64>, %root: i64, %depth: i64, %out: memref<8xi64>) -> i1 {
  %steals_at = arith.constant 26 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %false = arith.constant false
  %true = arith.constant true
  %count = func.call @record_count(%record) : (memref<288xi64>) -> i64
  %start = func.call @random_below(%record, %count) : (memref<288xi64>, i64) -> i64
  %self = rt.memref_to_ptr %record : memref<288xi64> to !rt.ptr
  %self_int = rt.ptr_to_int %self : !rt.ptr to i64
  %k0, %found = scf.while (%k = %c0, %got = %false) : (i64, i1) -> (i64, i1) {
    %more = arith.cmpi slt, %k, %count : i64
    %none = arith.xori %got, %true : i1
    %go = arith.andi %more, %none : i1
    scf.condition(%go) %k, %got : i64, i1
  } do {
  ^bb0(%k: i64, %got: i1):
    %ahead = arith.addi %start, %k : i64
    %over = arith.cmpi sge, %ahead, %count : i64
    %wrapped = arith.subi %ahead, %count : i64
    %number = arith.select %over, %wrapped, %ahead : i64
    %victim_int = func.call @record_at(%record, %number) : (memref<288xi64>, i64) -> i64
    %address = rt.int_to_ptr %victim_int : i64 to !rt.ptr
    %victim = rt.ptr_to_memref %address : !rt.ptr to memref<288xi64>
    // A look without fences first.
    %waiting = func.call @waiting_items(%victim) : (memref<288xi64>) -> i64
    %some = arith.cmpi sgt, %waiting, %c0 : i64
    %other = arith.cmpi ne, %victim_int, %self_int : i64
    %try = arith.andi %some, %other : i1
    %stolen = scf.if %try -> (i1) {
      %won = func.call @steal(%victim, %root, %depth, %out) : (memref<288xi64>, i64, i64, memref<8xi64>) -> i1
      scf.yield %won : i1
    } else {
      scf.yield %false : i1
    }
    %k1 = arith.addi %k, %c1 : i64
    scf.yield %k1, %stolen : i64, i1
  }
  scf.if %found {
    %steals = rt.atomic_load monotonic %record[%steals_at] : memref<288xi64>
    %more = arith.addi %steals, %c1 : i64
    rt.atomic_store monotonic %more, %record[%steals_at] : memref<288xi64>
  }
  func.return %found : i1
}

// Whether a `find` of the same kind would see something to steal.
func.func private @is_work(%record: memref<288xi64>, %root: i64, %depth: i64) -> i1 {
  %item = memref.alloca() : memref<8xi64>
  %top_at = arith.constant 0 : index
  %root_at = arith.constant 3 : index
  %depth_at = arith.constant 4 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %false = arith.constant false
  %true = arith.constant true
  %count = func.call @record_count(%record) : (memref<288xi64>) -> i64
  %self = rt.memref_to_ptr %record : memref<288xi64> to !rt.ptr
  %self_int = rt.ptr_to_int %self : !rt.ptr to i64
  %k0, %found = scf.while (%k = %c0, %got = %false) : (i64, i1) -> (i64, i1) {
    %more = arith.cmpi slt, %k, %count : i64
    %none = arith.xori %got, %true : i1
    %go = arith.andi %more, %none : i1
    scf.condition(%go) %k, %got : i64, i1
  } do {
  ^bb0(%k: i64, %got: i1):
    %victim_int = func.call @record_at(%record, %k) : (memref<288xi64>, i64) -> i64
    %address = rt.int_to_ptr %victim_int : i64 to !rt.ptr
    %victim = rt.ptr_to_memref %address : !rt.ptr to memref<288xi64>
    %waiting = func.call @waiting_items(%victim) : (memref<288xi64>) -> i64
    %some = arith.cmpi sgt, %waiting, %c0 : i64
    %other = arith.cmpi ne, %victim_int, %self_int : i64
    %look = arith.andi %some, %other : i1
    %fits = scf.if %look -> (i1) {
      %top = rt.atomic_load monotonic %victim[%top_at] : memref<288xi64>
      func.call @read_item(%victim, %top, %item) : (memref<288xi64>, i64, memref<8xi64>) -> ()
      %item_root = memref.load %item[%root_at] : memref<8xi64>
      %item_depth = memref.load %item[%depth_at] : memref<8xi64>
      %any = arith.cmpi eq, %root, %c0 : i64
      %same = arith.cmpi eq, %item_root, %root : i64
      %deep = arith.cmpi sge, %item_depth, %depth : i64
      %related = arith.andi %same, %deep : i1
      %yes = arith.ori %any, %related : i1
      scf.yield %yes : i1
    } else {
      scf.yield %false : i1
    }
    %k1 = arith.addi %k, %c1 : i64
    scf.yield %k1, %fits : i64, i1
  }
  func.return %found : i1
}

// A number of [0, count), by xorshift; 0 of none.
func.func private @random_below(%record: memref<288xi64>, %count: i64) -> i64 {
  %seed_at = arith.constant 21 : index
  %c1 = arith.constant 1 : i64
  %c7 = arith.constant 7 : i64
  %c9 = arith.constant 9 : i64
  %c32 = arith.constant 32 : i64
  %seed = memref.load %record[%seed_at] : memref<288xi64>
  %left = arith.shli %seed, %c7 : i64
  %x1 = arith.xori %seed, %left : i64
  %right = arith.shrui %x1, %c9 : i64
  %x2 = arith.xori %x1, %right : i64
  memref.store %x2, %record[%seed_at] : memref<288xi64>
  %high = arith.shrui %x2, %c32 : i64
  %scaled = arith.muli %high, %count : i64
  %number = arith.shrui %scaled, %c32 : i64
  func.return %number : i64
}
