// RUN: stepwell-opt %s --symbol-dce --split-input-file | filecheck %s

// CHECK: func.func public @main
// CHECK-NOT: @dead
// CHECK: func.func private @used
// CHECK: func.func private @through_used
// CHECK-NOT: @dead
// CHECK: func.func @no_visibility
func.func public @main(%x: f32) -> f32 {
  %0 = func.call @used(%x) : (f32) -> f32
  func.return %0 : f32
}
func.func private @dead(%x: f32) -> f32 {
  %0 = func.call @dead_too(%x) : (f32) -> f32
  func.return %0 : f32
}
func.func private @used(%x: f32) -> f32 {
  %0 = func.call @through_used(%x) : (f32) -> f32
  func.return %0 : f32
}
func.func private @dead_too(%x: f32) -> f32 {
  %0 = func.call @dead(%x) : (f32) -> f32
  func.return %0 : f32
}
func.func private @through_used(%x: f32) -> f32 {
  func.return %x : f32
}
func.func @no_visibility() {
  func.return
}

// -----

// References inside nested attributes count.

// CHECK: func.func private @callback
func.func public @main(%x: f32) -> f32 attributes {hooks = [{run = @callback}]} {
  func.return %x : f32
}
func.func private @callback() {
  func.return
}
