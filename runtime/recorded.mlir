// What a profile calls for loops instead of `stepwell_parallel_for` (runtime/profiler.py): the same, with the clock read around every piece.
// Programs that are not profiled are linked to the other, and pay nothing.
//
// The record, words: 0 how many events fit, 1 events so far (also those that did not fit); from 8 on five an event: worker, first index,
// index after the last, start, end, in nanoseconds of the monotonic clock. One profile is made at a time in a process.

"memref.global"() <{sym_name = "record", sym_visibility = "private", type = memref<1xi64>, initial_value}> : () -> ()

// Says where loops are recorded from now on; 0: nowhere.
func.func @stepwell_record_loops(%record: i64) {
  %holder = memref.get_global @record : memref<1xi64>
  %i0 = arith.constant 0 : index
  rt.atomic_store release %record, %holder[%i0] : memref<1xi64>
  func.return
}

func.func @stepwell_recorded_parallel_for(%fn: !rt.ptr, %ctx: !rt.ptr, %n: i64, %grain: i64) -> i32 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %task = memref.alloca() : memref<2xi64>
  %fn_int = rt.ptr_to_int %fn : !rt.ptr to i64
  %ctx_int = rt.ptr_to_int %ctx : !rt.ptr to i64
  memref.store %fn_int, %task[%i0] : memref<2xi64>
  memref.store %ctx_int, %task[%i1] : memref<2xi64>
  %address = rt.memref_to_ptr %task : memref<2xi64> to !rt.ptr
  %piece = rt.func_addr @recorded_piece : !rt.ptr
  %status = func.call @stepwell_parallel_for(%piece, %address, %n, %grain) : (!rt.ptr, !rt.ptr, i64, i64) -> i32
  func.return %status : i32
}

func.func @recorded_piece(%ctx: !rt.ptr, %begin: i64, %end: i64, %worker: i64) -> i32 {
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %task = rt.ptr_to_memref %ctx : !rt.ptr to memref<2xi64>
  %fn_int = memref.load %task[%i0] : memref<2xi64>
  %inner_int = memref.load %task[%i1] : memref<2xi64>
  %fn = rt.int_to_ptr %fn_int : i64 to !rt.ptr
  %inner = rt.int_to_ptr %inner_int : i64 to !rt.ptr
  %start = func.call @nanoseconds() : () -> i64
  %status = rt.call_indirect %fn(%inner, %begin, %end, %worker) : (!rt.ptr, i64, i64, i64) -> i32
  %stop = func.call @nanoseconds() : () -> i64
  %holder = memref.get_global @record : memref<1xi64>
  %record_int = rt.atomic_load acquire %holder[%i0] : memref<1xi64>
  %on = arith.cmpi ne, %record_int, %c0 : i64
  scf.if %on {
    %record_address = rt.int_to_ptr %record_int : i64 to !rt.ptr
    %record = rt.ptr_to_memref %record_address : !rt.ptr to memref<?xi64>
    %number_int = rt.atomic_rmw add monotonic %c1, %record[%i1] : memref<?xi64>
    %capacity = memref.load %record[%i0] : memref<?xi64>
    %fits = arith.cmpi slt, %number_int, %capacity : i64
    scf.if %fits {
      %header = arith.constant 8 : index
      %words = arith.constant 5 : index
      %i2 = arith.constant 2 : index
      %i3 = arith.constant 3 : index
      %i4 = arith.constant 4 : index
      %number = arith.index_cast %number_int : i64 to index
      %skipped = arith.muli %number, %words : index
      %at = arith.addi %header, %skipped : index
      %first_at = arith.addi %at, %i1 : index
      %last_at = arith.addi %at, %i2 : index
      %start_at = arith.addi %at, %i3 : index
      %stop_at = arith.addi %at, %i4 : index
      memref.store %worker, %record[%at] : memref<?xi64>
      memref.store %begin, %record[%first_at] : memref<?xi64>
      memref.store %end, %record[%last_at] : memref<?xi64>
      memref.store %start, %record[%start_at] : memref<?xi64>
      memref.store %stop, %record[%stop_at] : memref<?xi64>
    }
  }
  func.return %status : i32
}
