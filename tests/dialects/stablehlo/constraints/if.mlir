// expect: ok
func.func @f(%p: tensor<i1>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i1>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%p: tensor<i1>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.if"(%p) ({
  ^bb0(%x: tensor<i32>):
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i1>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%p: tensor<i1>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %a : tensor<i32>
  }, {
  ^bb0(%x: tensor<i32>):
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i1>) -> tensor<i32>
  func.return
}

// -----

// expect: C2
func.func @f(%p: tensor<i1>, %a: tensor<i32>, %b: tensor<f32>) {
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<f32>
  }) : (tensor<i1>) -> tensor<i32>
  func.return
}

// -----

// expect: C3
func.func @f(%p: tensor<i1>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i1>) -> tensor<i64>
  func.return
}

// -----

// expect: I1
func.func @f(%p: tensor<2xi1>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.if"(%p) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<2xi1>) -> tensor<i32>
  func.return
}
