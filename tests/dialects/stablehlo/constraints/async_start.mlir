// expect: ok
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.slice %a [0:4, 0:2] : (tensor<8x2xf32>) -> tensor<4x2xf32>
    stablehlo.return %s : tensor<4x2xf32>
  }) : (tensor<8x2xf32>) -> !stablehlo.future<tensor<4x2xf32>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.slice %a [0:4, 0:2] : (tensor<8x2xf32>) -> tensor<4x2xf32>
    %n = stablehlo.negate %s : tensor<4x2xf32>
    stablehlo.return %s : tensor<4x2xf32>
  }) : (tensor<8x2xf32>) -> !stablehlo.future<tensor<4x2xf32>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    stablehlo.return %a : tensor<8x2xf32>
  }) : (tensor<8x2xf32>) -> !stablehlo.future<tensor<8x2xf32>>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.negate %a : tensor<8x2xf32>
    stablehlo.return %s : tensor<8x2xf32>
  }) : (tensor<8x2xf32>) -> !stablehlo.future<tensor<8x2xf32>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x, %x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.slice %a [0:4, 0:2] : (tensor<8x2xf32>) -> tensor<4x2xf32>
    stablehlo.return %s : tensor<4x2xf32>
  }) : (tensor<8x2xf32>, tensor<8x2xf32>) -> !stablehlo.future<tensor<4x2xf32>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<8x3xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.slice %a [0:4, 0:2] : (tensor<8x2xf32>) -> tensor<4x2xf32>
    stablehlo.return %s : tensor<4x2xf32>
  }) : (tensor<8x3xf32>) -> !stablehlo.future<tensor<4x2xf32>>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.slice %a [0:4, 0:2] : (tensor<8x2xf32>) -> tensor<4x2xf32>
    stablehlo.return %s : tensor<4x2xf32>
  }) : (tensor<8x2xf32>) -> !stablehlo.future<tensor<8x2xf32>>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<8x2xf32>) {
  %f = "stablehlo.async_start"(%x) ({
  ^bb0(%a: tensor<8x2xf32>):
    %s = stablehlo.slice %a [0:4, 0:2] : (tensor<8x2xf32>) -> tensor<4x2xf32>
    stablehlo.return %s : tensor<4x2xf32>
  }) : (tensor<8x2xf32>) -> !stablehlo.future<tensor<4x2xf32>, tensor<4x2xf32>>
  func.return
}
