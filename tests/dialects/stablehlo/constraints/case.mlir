// expect: ok
func.func @f(%i: tensor<i32>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i32>) -> tensor<i32>
  func.return
}

// -----

// expect: C1
func.func @f(%i: tensor<i32>) {
  "stablehlo.case"(%i) : (tensor<i32>) -> ()
  func.return
}

// -----

// expect: C2
func.func @f(%i: tensor<i32>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %a : tensor<i32>
  }, {
  ^bb0(%x: tensor<i32>):
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i32>) -> tensor<i32>
  func.return
}

// -----

// expect: C3
func.func @f(%i: tensor<i32>, %a: tensor<i32>, %b: tensor<f32>) {
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<f32>
  }) : (tensor<i32>) -> tensor<i32>
  func.return
}

// -----

// expect: C4
func.func @f(%i: tensor<i32>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i32>) -> tensor<i64>
  func.return
}

// -----

// expect: I1
func.func @f(%i: tensor<i64>, %a: tensor<i32>, %b: tensor<i32>) {
  %r = "stablehlo.case"(%i) ({
    stablehlo.return %a : tensor<i32>
  }, {
    stablehlo.return %b : tensor<i32>
  }) : (tensor<i64>) -> tensor<i32>
  func.return
}
