// The deque of a worker: Chase and Lev's, in the C11 orders of Le, Pop, Cohen and Zappa Nardelli, "Correct and efficient
// work-stealing for weak memory models" (2013), on a ring of fixed size. The owner pushes and pops at the bottom, thieves take from
// the top. Items are pieces of loops; who finds the ring full keeps its piece.
// tests/runtime/test_deque_model.py runs these steps ([P1] and so on) in every order, with and without store buffers.
//
// A record, one per worker and per calling thread, 288 words of 64 bits, a cache line a group:
//    0 top: items taken so far (only grows)
//    8 bottom: items pushed so far (moves back by one while the owner pops)
//   16 claimed by a caller, 17 address of the arena, 18 worker number, 19 record of the call's caller, 20 depth of loops here,
//      21 seed of the choice of victims, 22 loops and futures open here, 23 loops shared out so far
//   24 threads of this caller's call that sleep in a join, 25 what they sleep on, 26 pieces stolen so far, 27 times slept
//   32 ring of 32 items of 8 words: loop, begin, end, record of the call's caller, depth

// The ring's slot of an item.
func.func private @slot(%number: i64) -> index {
  %mask = arith.constant 31 : i64
  %shift = arith.constant 3 : i64
  %ring = arith.constant 32 : i64
  %within = arith.andi %number, %mask : i64
  %words = arith.shli %within, %shift : i64
  %at = arith.addi %ring, %words : i64
  %index = arith.index_cast %at : i64 to index
  func.return %index : index
}

// Of the owner: items that nobody took yet; those that a thief is about to take are counted.
func.func private @waiting_items(%record: memref<288xi64>) -> i64 {
  %top_at = arith.constant 0 : index
  %bottom_at = arith.constant 8 : index
  %bottom = rt.atomic_load monotonic %record[%bottom_at] : memref<288xi64>
  %top = rt.atomic_load monotonic %record[%top_at] : memref<288xi64>
  %count = arith.subi %bottom, %top : i64
  func.return %count : i64
}

// Of the owner: offers a piece of a loop; false when the ring is full.
func.func private @push(
  %record: memref<288xi64>, %loop: i64, %begin: i64, %end: i64, %root: i64, %depth: i64
) -> i1 {
  %top_at = arith.constant 0 : index
  %bottom_at = arith.constant 8 : index
  %c1 = arith.constant 1 : i64
  %size = arith.constant 32 : i64
  // [P1] Only this thread moves the bottom.
  %bottom = rt.atomic_load monotonic %record[%bottom_at] : memref<288xi64>
  // [P2] Acquire, with the thief's exchange [S5]: its loads of the slot that is written below are done.
  %top = rt.atomic_load acquire %record[%top_at] : memref<288xi64>
  %count = arith.subi %bottom, %top : i64
  %room = arith.cmpi slt, %count, %size : i64
  scf.if %room {
    // [P3] Atomic, since a thief that comes too late may read a slot while it is written; its exchange will fail.
    %at = func.call @slot(%bottom) : (i64) -> index
    func.call @write_item(%record, %at, %loop, %begin, %end, %root, %depth)
      : (memref<288xi64>, index, i64, i64, i64, i64, i64) -> ()
    // [P4] With the thief's acquire [S3]: who sees the new bottom sees the item, and the loop it belongs to.
    rt.fence release
    // [P5]
    %next = arith.addi %bottom, %c1 : i64
    rt.atomic_store monotonic %next, %record[%bottom_at] : memref<288xi64>
  }
  func.return %room : i1
}

// Of the owner: takes back the item pushed last, into `out`; false when thieves have all.
func.func private @pop(%record: memref<288xi64>, %out: memref<8xi64>) -> i1 {
  %top_at = arith.constant 0 : index
  %bottom_at = arith.constant 8 : index
  %c1 = arith.constant 1 : i64
  %true = arith.constant true
  %false = arith.constant false
  // [T1] [T2]
  %bottom = rt.atomic_load monotonic %record[%bottom_at] : memref<288xi64>
  %last = arith.subi %bottom, %c1 : i64
  rt.atomic_store monotonic %last, %record[%bottom_at] : memref<288xi64>
  // [T3] With the thief's fence [S2]: either it sees the bottom lowered or this thread sees the top raised. Without it both may
  // have the item.
  rt.fence seq_cst
  // [T4]
  %top = rt.atomic_load monotonic %record[%top_at] : memref<288xi64>
  %some = arith.cmpi sle, %top, %last : i64
  %got = scf.if %some -> (i1) {
    // [T5] Only this thread writes slots.
    func.call @read_item(%record, %last, %out) : (memref<288xi64>, i64, memref<8xi64>) -> ()
    %single = arith.cmpi eq, %top, %last : i64
    %mine = scf.if %single -> (i1) {
      // [T6] A thief may want the last item too: whoever raises the top has it.
      %raised = arith.addi %top, %c1 : i64
      %old, %won = rt.compare_exchange seq_cst %top, %raised, %record[%top_at] : memref<288xi64>
      // [T7]
      rt.atomic_store monotonic %bottom, %record[%bottom_at] : memref<288xi64>
      scf.yield %won : i1
    } else {
      scf.yield %true : i1
    }
    scf.yield %mine : i1
  } else {
    // [T8]
    rt.atomic_store monotonic %bottom, %record[%bottom_at] : memref<288xi64>
    scf.yield %false : i1
  }
  func.return %got : i1
}

// Of any other thread: takes the oldest item, into `out`, if it is of the call of `root` (0: of any) and no less deep than `depth`.
// False when there is none, it does not fit, or somebody else was quicker.
func.func private @steal(%record: memref<288xi64>, %root: i64, %depth: i64, %out: memref<8xi64>) -> i1 {
  %top_at = arith.constant 0 : index
  %bottom_at = arith.constant 8 : index
  %root_at = arith.constant 3 : index
  %depth_at = arith.constant 4 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %false = arith.constant false
  // [S1] Acquire: items from here on are read no earlier.
  %top = rt.atomic_load acquire %record[%top_at] : memref<288xi64>
  // [S2] With the owner's fence [T3].
  rt.fence seq_cst
  // [S3] Acquire, with [P4].
  %bottom = rt.atomic_load acquire %record[%bottom_at] : memref<288xi64>
  %some = arith.cmpi slt, %top, %bottom : i64
  %got = scf.if %some -> (i1) {
    // [S4] What is read here counts only if the exchange below succeeds: then the top was never raised meanwhile, so the owner had
    // no reason to write this slot again.
    func.call @read_item(%record, %top, %out) : (memref<288xi64>, i64, memref<8xi64>) -> ()
    %item_root = memref.load %out[%root_at] : memref<8xi64>
    %item_depth = memref.load %out[%depth_at] : memref<8xi64>
    %any = arith.cmpi eq, %root, %c0 : i64
    %same = arith.cmpi eq, %item_root, %root : i64
    %deep = arith.cmpi sge, %item_depth, %depth : i64
    %related = arith.andi %same, %deep : i1
    %fits = arith.ori %any, %related : i1
    %won = scf.if %fits -> (i1) {
      // [S5] Sequentially consistent: it releases the slot to the owner [P2] and takes part in the order of the fences.
      %raised = arith.addi %top, %c1 : i64
      %old, %exchanged = rt.compare_exchange seq_cst %top, %raised, %record[%top_at] : memref<288xi64>
      scf.yield %exchanged : i1
    } else {
      scf.yield %false : i1
    }
    scf.yield %won : i1
  } else {
    scf.yield %false : i1
  }
  func.return %got : i1
}

func.func private @write_item(
  %record: memref<288xi64>, %at: index, %loop: i64, %begin: i64, %end: i64, %root: i64, %depth: i64
) {
  %i1 = arith.constant 1 : index
  %begin_at = arith.addi %at, %i1 : index
  %end_at = arith.addi %begin_at, %i1 : index
  %root_at = arith.addi %end_at, %i1 : index
  %depth_at = arith.addi %root_at, %i1 : index
  rt.atomic_store monotonic %loop, %record[%at] : memref<288xi64>
  rt.atomic_store monotonic %begin, %record[%begin_at] : memref<288xi64>
  rt.atomic_store monotonic %end, %record[%end_at] : memref<288xi64>
  rt.atomic_store monotonic %root, %record[%root_at] : memref<288xi64>
  rt.atomic_store monotonic %depth, %record[%depth_at] : memref<288xi64>
  func.return
}

func.func private @read_item(%record: memref<288xi64>, %number: i64, %out: memref<8xi64>) {
  %start = func.call @slot(%number) : (i64) -> index
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %i5 = arith.constant 5 : index
  scf.for %word = %i0 to %i5 step %i1 {
    %at = arith.addi %start, %word : index
    %value = rt.atomic_load monotonic %record[%at] : memref<288xi64>
    memref.store %value, %out[%word] : memref<8xi64>
  }
  func.return
}
