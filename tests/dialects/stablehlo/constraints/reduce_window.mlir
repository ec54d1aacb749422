// expect: ok
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> tensor<2x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f() {
  "stablehlo.reduce_window"() <{window_dimensions = array<i64: 1>}> ({
    stablehlo.return
  }) : () -> ()
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x3xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x3xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i64>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i64>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 0>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 0, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 0>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C11
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: -3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1]]> : tensor<1x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[2, 1, 0, 0]> : tensor<4xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0 : tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>, %c: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i16>, %a1: tensor<i16>, %b0: tensor<i16>, %b1: tensor<i16>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i16>
    %s1 = stablehlo.add %a1, %b1 : tensor<i16>
    stablehlo.return %s0, %s1 : tensor<i16>, tensor<i16>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi16>, tensor<2x2xi16>)
  func.return
}

// -----

// expect: C14
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x3xi32>)
  func.return
}

// -----

// expect: C15
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<1x2xi32>, tensor<1x2xi32>)
  func.return
}

// -----

// expect: C16
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<i32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<i32>) -> (tensor<2x2xi32>, tensor<2x2xi64>)
  func.return
}

// -----

// expect: I2
func.func @f(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>, %i: tensor<i32>, %j: tensor<1xi32>) {
  %r:2 = "stablehlo.reduce_window"(%x, %y, %i, %j) <{window_dimensions = array<i64: 2, 1>, window_strides = array<i64: 4, 1>, base_dilations = array<i64: 2, 1>, window_dilations = array<i64: 3, 1>, padding = dense<[[2, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a0: tensor<i32>, %a1: tensor<i32>, %b0: tensor<i32>, %b1: tensor<i32>):
    %s0 = stablehlo.add %a0, %b0 : tensor<i32>
    %s1 = stablehlo.add %a1, %b1 : tensor<i32>
    stablehlo.return %s0, %s1 : tensor<i32>, tensor<i32>
  }) : (tensor<3x2xi32>, tensor<3x2xi32>, tensor<i32>, tensor<1xi32>) -> (tensor<2x2xi32>, tensor<2x2xi32>)
  func.return
}
