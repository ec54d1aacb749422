// expect: ok
func.func private @g(%x: tensor<f32>) -> tensor<f32> {
  func.return %x : tensor<f32>
}
func.func @f(%a: tensor<f32>) {
  %r = "stablehlo.composite"(%a) <{name = "my.op", decomposition = @g}> : (tensor<f32>) -> tensor<f32>
  func.return
}

// -----

// expect: C1
func.func private @g(%x: tensor<f32>) -> tensor<f32> {
  func.return %x : tensor<f32>
}
func.func @f(%a: tensor<f32>) {
  %r = "stablehlo.composite"(%a) <{name = "op", decomposition = @g}> : (tensor<f32>) -> tensor<f32>
  func.return
}

// -----

// expect: C1
func.func private @g(%x: tensor<f32>) -> tensor<f32> {
  func.return %x : tensor<f32>
}
func.func @f(%a: tensor<f32>) {
  %r = "stablehlo.composite"(%a) <{name = "my.op-x", decomposition = @g}> : (tensor<f32>) -> tensor<f32>
  func.return
}

// -----

// expect: C2
func.func private @g(%x: tensor<f32>) -> tensor<f32> {
  func.return %x : tensor<f32>
}
func.func @f(%a: tensor<f32>) {
  %r = "stablehlo.composite"(%a) <{name = "my.op", decomposition = @h}> : (tensor<f32>) -> tensor<f32>
  func.return
}

// -----

// expect: C3
func.func private @g(%x: tensor<i32>, %y: tensor<f32>) -> tensor<f32> {
  func.return %y : tensor<f32>
}
func.func @f(%a: tensor<f32>) {
  %r = "stablehlo.composite"(%a) <{name = "my.op", decomposition = @g}> : (tensor<f32>) -> tensor<f32>
  func.return
}

// -----

// expect: C4
func.func private @g(%x: tensor<f32>) -> tensor<f32> {
  func.return %x : tensor<f32>
}
func.func @f(%a: tensor<f32>) {
  %r = "stablehlo.composite"(%a) <{name = "my.op", decomposition = @g}> : (tensor<f32>) -> tensor<i32>
  func.return
}
