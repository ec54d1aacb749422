// Calling an entry from Python (runtime/direct_calls.py): what Python takes longest for is to look at the arguments, so that is done here.
//
// An array is NumPy's public PyArrayObject, a tuple Python's PyTupleObject, as direct_calls.py has made sure. In words: the second of an object
// is its type; then a tuple has its length and the items; an array its data, rank (lower half), dimensions' address, strides' address, base,
// element type, flags (lower half).
//
// A frame: the address of a plan, then the pointers that the entry takes. A plan: 0 arguments, 1 results, 2 the type of arrays, 3 the entry,
// 4 PyEval_SaveThread, 5 PyEval_RestoreThread; from 8 on for each argument, and then each result, its element type, the flags it must have,
// its rank, where in the plan its dimensions are, and its bytes.

// Calls the entry on a tuple of arguments and one of results made for it, without the interpreter's lock. Its status; 2^32, and nothing is
// done, when an argument is not what the plan says.
func.func @stepwell_call(%arguments: !rt.ptr, %results: !rt.ptr, %frame: !rt.ptr) -> i64 {
  %i0 = arith.constant 0 : index
  %records_at = arith.constant 8 : index
  %refused = arith.constant 4294967296 : i64
  %words = rt.ptr_to_memref %frame : !rt.ptr to memref<?xi64>
  %plan_address = func.call @plan_of(%words) : (memref<?xi64>) -> !rt.ptr
  %plan = rt.ptr_to_memref %plan_address : !rt.ptr to memref<?xi64>
  %given = rt.ptr_to_memref %arguments : !rt.ptr to memref<?xi64>
  %made = rt.ptr_to_memref %results : !rt.ptr to memref<?xi64>
  %fit = func.call @fit(%given, %plan, %i0, %records_at) : (memref<?xi64>, memref<?xi64>, index, index) -> i1
  %status = scf.if %fit -> (i64) {
    func.call @point_at_all(%given, %made, %words, %plan) : (memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<?xi64>) -> ()
    %done = func.call @run_entry(%frame, %plan) : (!rt.ptr, memref<?xi64>) -> i64
    scf.yield %done : i64
  } else {
    scf.yield %refused : i64
  }
  func.return %status : i64
}

// The same with results that are the caller's own: also 2^32 when one is not what the plan says, or overlaps another or an argument.
func.func @stepwell_call_into(%arguments: !rt.ptr, %results: !rt.ptr, %frame: !rt.ptr) -> i64 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %records_at = arith.constant 8 : index
  %record_words = arith.constant 5 : index
  %false = arith.constant false
  %refused = arith.constant 4294967296 : i64
  %words = rt.ptr_to_memref %frame : !rt.ptr to memref<?xi64>
  %plan_address = func.call @plan_of(%words) : (memref<?xi64>) -> !rt.ptr
  %plan = rt.ptr_to_memref %plan_address : !rt.ptr to memref<?xi64>
  %given = rt.ptr_to_memref %arguments : !rt.ptr to memref<?xi64>
  %made = rt.ptr_to_memref %results : !rt.ptr to memref<?xi64>
  %count_int = memref.load %plan[%i0] : memref<?xi64>
  %count = arith.index_cast %count_int : i64 to index
  %argument_words = arith.muli %count, %record_words : index
  %behind = arith.addi %argument_words, %records_at : index
  %arguments_fit = func.call @fit(%given, %plan, %i0, %records_at) : (memref<?xi64>, memref<?xi64>, index, index) -> i1
  %results_fit = func.call @fit(%made, %plan, %i1, %behind) : (memref<?xi64>, memref<?xi64>, index, index) -> i1
  %both = arith.andi %arguments_fit, %results_fit : i1
  %fit = scf.if %both -> (i1) {
    func.call @point_at_all(%given, %made, %words, %plan) : (memref<?xi64>, memref<?xi64>, memref<?xi64>, memref<?xi64>) -> ()
    %apart = func.call @apart(%words, %plan) : (memref<?xi64>, memref<?xi64>) -> i1
    scf.yield %apart : i1
  } else {
    scf.yield %false : i1
  }
  %status = scf.if %fit -> (i64) {
    %done = func.call @run_entry(%frame, %plan) : (!rt.ptr, memref<?xi64>) -> i64
    scf.yield %done : i64
  } else {
    scf.yield %refused : i64
  }
  func.return %status : i64
}

// The plan of a frame.
func.func private @plan_of(%words: memref<?xi64>) -> !rt.ptr {
  %i0 = arith.constant 0 : index
  %plan_int = memref.load %words[%i0] : memref<?xi64>
  %plan_address = rt.int_to_ptr %plan_int : i64 to !rt.ptr
  func.return %plan_address : !rt.ptr
}

// Calls the entry on the pointers of a frame, without the interpreter's lock; its status.
func.func private @run_entry(%frame: !rt.ptr, %plan: memref<?xi64>) -> i64 {
  %entry_at = arith.constant 3 : index
  %save_at = arith.constant 4 : index
  %restore_at = arith.constant 5 : index
  %word = arith.constant 8 : i64
  %entry_int = memref.load %plan[%entry_at] : memref<?xi64>
  %save_int = memref.load %plan[%save_at] : memref<?xi64>
  %restore_int = memref.load %plan[%restore_at] : memref<?xi64>
  %entry = rt.int_to_ptr %entry_int : i64 to !rt.ptr
  %save = rt.int_to_ptr %save_int : i64 to !rt.ptr
  %restore = rt.int_to_ptr %restore_int : i64 to !rt.ptr
  %frame_int = rt.ptr_to_int %frame : !rt.ptr to i64
  %pointers_int = arith.addi %frame_int, %word : i64
  %pointers = rt.int_to_ptr %pointers_int : i64 to !rt.ptr
  %thread = rt.call_indirect %save() : () -> !rt.ptr
  %short = rt.call_indirect %entry(%pointers) : (!rt.ptr) -> i32
  rt.call_indirect %restore(%thread) : (!rt.ptr) -> ()
  %status = arith.extui %short : i32 to i64
  func.return %status : i64
}

// Writes the addresses of the elements of arguments and results into a frame.
func.func private @point_at_all(%given: memref<?xi64>, %made: memref<?xi64>, %words: memref<?xi64>, %plan: memref<?xi64>) {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %argument_count = memref.load %plan[%i0] : memref<?xi64>
  %result_count = memref.load %plan[%i1] : memref<?xi64>
  %arguments_end = func.call @point(%given, %argument_count, %words, %i1) : (memref<?xi64>, i64, memref<?xi64>, index) -> index
  %results_end = func.call @point(%made, %result_count, %words, %arguments_end) : (memref<?xi64>, i64, memref<?xi64>, index) -> index
  func.return
}

// Whether no result overlaps an argument or another result, by the addresses in a frame and the bytes in its plan.
func.func private @apart(%words: memref<?xi64>, %plan: memref<?xi64>) -> i1 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %bytes_at = arith.constant 12 : index
  %record_words = arith.constant 5 : index
  %true = arith.constant true
  %argument_int = memref.load %plan[%i0] : memref<?xi64>
  %result_int = memref.load %plan[%i1] : memref<?xi64>
  %all_int = arith.addi %argument_int, %result_int : i64
  %first = arith.index_cast %argument_int : i64 to index
  %end = arith.index_cast %all_int : i64 to index
  %result = scf.for %i = %first to %end step %i1 iter_args(%good = %true) -> (i1) {
    %at = arith.addi %i, %i1 : index
    %offset = arith.muli %i, %record_words : index
    %size_at = arith.addi %offset, %bytes_at : index
    %start = memref.load %words[%at] : memref<?xi64>
    %size = memref.load %plan[%size_at] : memref<?xi64>
    %past = arith.addi %start, %size : i64
    %far = scf.for %j = %i0 to %i step %i1 iter_args(%so_far = %good) -> (i1) {
      %other_at = arith.addi %j, %i1 : index
      %other_offset = arith.muli %j, %record_words : index
      %other_size_at = arith.addi %other_offset, %bytes_at : index
      %other = memref.load %words[%other_at] : memref<?xi64>
      %other_size = memref.load %plan[%other_size_at] : memref<?xi64>
      %other_past = arith.addi %other, %other_size : i64
      %before = arith.cmpi ule, %past, %other : i64
      %behind = arith.cmpi ule, %other_past, %start : i64
      %either = arith.ori %before, %behind : i1
      %both = arith.andi %so_far, %either : i1
      scf.yield %both : i1
    }
    scf.yield %far : i1
  }
  func.return %result : i1
}

// Writes the addresses of the elements of a tuple's arrays into a frame, from a word on; the word after them.
func.func private @point(%tuple: memref<?xi64>, %count_int: i64, %words: memref<?xi64>, %from: index) -> index {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %items_at = arith.constant 3 : index
  %data_at = arith.constant 2 : index
  %count = arith.index_cast %count_int : i64 to index
  scf.for %i = %i0 to %count step %i1 {
    %item_at = arith.addi %i, %items_at : index
    %item_int = memref.load %tuple[%item_at] : memref<?xi64>
    %address = rt.int_to_ptr %item_int : i64 to !rt.ptr
    %item = rt.ptr_to_memref %address : !rt.ptr to memref<9xi64>
    %data = memref.load %item[%data_at] : memref<9xi64>
    %to = arith.addi %i, %from : index
    memref.store %data, %words[%to] : memref<?xi64>
  }
  %end = arith.addi %count, %from : index
  func.return %end : index
}

// Whether a tuple has what a plan says: as many items as it says at one place, each as the records from another place on say.
func.func private @fit(%tuple: memref<?xi64>, %plan: memref<?xi64>, %count_at: index, %records_at: index) -> i1 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %length_at = arith.constant 2 : index
  %items_at = arith.constant 3 : index
  %type_at = arith.constant 2 : index
  %record_words = arith.constant 5 : index
  %false = arith.constant false
  %true = arith.constant true
  %wanted = memref.load %plan[%count_at] : memref<?xi64>
  %length = memref.load %tuple[%length_at] : memref<?xi64>
  %array = memref.load %plan[%type_at] : memref<?xi64>
  %as_many = arith.cmpi eq, %wanted, %length : i64
  %result = scf.if %as_many -> (i1) {
    %count = arith.index_cast %length : i64 to index
    %all = scf.for %i = %i0 to %count step %i1 iter_args(%good = %true) -> (i1) {
      %item_at = arith.addi %i, %items_at : index
      %item_int = memref.load %tuple[%item_at] : memref<?xi64>
      %address = rt.int_to_ptr %item_int : i64 to !rt.ptr
      %item = rt.ptr_to_memref %address : !rt.ptr to memref<9xi64>
      %type = memref.load %item[%i1] : memref<9xi64>
      %is_array = arith.cmpi eq, %type, %array : i64
      %fits = scf.if %is_array -> (i1) {
        %offset = arith.muli %i, %record_words : index
        %record = arith.addi %offset, %records_at : index
        %same = func.call @fits(%item, %plan, %record) : (memref<9xi64>, memref<?xi64>, index) -> i1
        scf.yield %same : i1
      } else {
        scf.yield %false : i1
      }
      %both = arith.andi %good, %fits : i1
      scf.yield %both : i1
    }
    scf.yield %all : i1
  } else {
    scf.yield %false : i1
  }
  func.return %result : i1
}

// Whether an array is what a record of a plan says.
func.func private @fits(%array: memref<9xi64>, %plan: memref<?xi64>, %record: index) -> i1 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %i2 = arith.constant 2 : index
  %rank_at = arith.constant 3 : index
  %dimensions_at = arith.constant 4 : index
  %element_at = arith.constant 7 : index
  %flags_at = arith.constant 8 : index
  %lower = arith.constant 4294967295 : i64
  %false = arith.constant false
  %second = arith.addi %record, %i1 : index
  %third = arith.addi %record, %i2 : index
  %fourth = arith.addi %third, %i1 : index
  %want_element = memref.load %plan[%record] : memref<?xi64>
  %want_flags = memref.load %plan[%second] : memref<?xi64>
  %want_rank = memref.load %plan[%third] : memref<?xi64>
  %shape_int = memref.load %plan[%fourth] : memref<?xi64>
  %element = memref.load %array[%element_at] : memref<9xi64>
  %flags = memref.load %array[%flags_at] : memref<9xi64>
  %rank_word = memref.load %array[%rank_at] : memref<9xi64>
  %rank_int = arith.andi %rank_word, %lower : i64
  %has = arith.andi %flags, %want_flags : i64
  %same_element = arith.cmpi eq, %element, %want_element : i64
  %same_flags = arith.cmpi eq, %has, %want_flags : i64
  %same_rank = arith.cmpi eq, %rank_int, %want_rank : i64
  %two = arith.andi %same_element, %same_flags : i1
  %three = arith.andi %two, %same_rank : i1
  %result = scf.if %three -> (i1) {
    %rank = arith.index_cast %rank_int : i64 to index
    %shape = arith.index_cast %shape_int : i64 to index
    %dimensions_int = memref.load %array[%dimensions_at] : memref<9xi64>
    %dimensions_address = rt.int_to_ptr %dimensions_int : i64 to !rt.ptr
    %dimensions = rt.ptr_to_memref %dimensions_address : !rt.ptr to memref<?xi64>
    %same = scf.for %d = %i0 to %rank step %i1 iter_args(%good = %three) -> (i1) {
      %dimension = memref.load %dimensions[%d] : memref<?xi64>
      %at = arith.addi %shape, %d : index
      %want = memref.load %plan[%at] : memref<?xi64>
      %equal = arith.cmpi eq, %dimension, %want : i64
      %both = arith.andi %good, %equal : i1
      scf.yield %both : i1
    }
    scf.yield %same : i1
  } else {
    scf.yield %false : i1
  }
  func.return %result : i1
}
