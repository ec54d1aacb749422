// expect: ok
func.func @f(%a: tensor<i64>) {
  %r = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%y: tensor<i64>):
    stablehlo.return %y : tensor<i64>
  }) : (tensor<i64>) -> tensor<i64>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<i64>) {
  %r = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %x : tensor<i64>
  }, {
  ^bb0(%y: tensor<i64>):
    stablehlo.return %y : tensor<i64>
  }) : (tensor<i64>) -> tensor<i64>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<i64>) {
  %r = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>, %z: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%y: tensor<i64>):
    stablehlo.return %y : tensor<i64>
  }) : (tensor<i64>) -> tensor<i64>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<i64>) {
  %r = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%y: tensor<i64>):
    stablehlo.return %y, %y : tensor<i64>, tensor<i64>
  }) : (tensor<i64>) -> tensor<i64>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<i64>) {
  %r = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%y: tensor<i64>, %z: tensor<i64>):
    stablehlo.return %y : tensor<i64>
  }) : (tensor<i64>) -> tensor<i64>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<i64>) {
  %r = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%y: tensor<i64>):
    stablehlo.return %y : tensor<i64>
  }) : (tensor<i64>) -> tensor<i32>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<i64>) {
  %r:2 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i64>):
    %p = stablehlo.compare LT, %x, %a : (tensor<i64>, tensor<i64>) -> tensor<i1>
    stablehlo.return %p : tensor<i1>
  }, {
  ^bb0(%y: tensor<i64>):
    stablehlo.return %y : tensor<i64>
  }) : (tensor<i64>) -> (tensor<i64>, tensor<i64>)
  func.return
}
