// expect: ok
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi64>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi64>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x2xi32>, %u: tensor<3x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<3x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i64>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i64>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 0>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 0, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %a : tensor<i32>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %e: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s, %s : tensor<i32>, tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>, %e: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi32>
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i16>, %d: tensor<i16>):
    %s = stablehlo.add %c, %d : tensor<i16>
    stablehlo.return %s : tensor<i16>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi16>
  func.return
}

// -----

// expect: C11
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x3xi32>
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<i32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<i32>) -> tensor<4x2xi64>
  func.return
}

// -----

// expect: I3
func.func @f(%x: tensor<4x2xi32>, %u: tensor<2x2xi32>, %i: tensor<1xi32>) {
  %r = "stablehlo.select_and_scatter"(%x, %u, %i) <{window_dimensions = array<i64: 3, 1>, window_strides = array<i64: 2, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%c: tensor<i32>, %d: tensor<i32>):
    %s = stablehlo.add %c, %d : tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4x2xi32>, tensor<2x2xi32>, tensor<1xi32>) -> tensor<4x2xi32>
  func.return
}
