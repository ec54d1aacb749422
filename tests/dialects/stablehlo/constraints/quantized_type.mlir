// expect: ok
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 0.5:3>>) {
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100.0:100>:f32, 0.5:3>>) {
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100.0>:f32, 0.5:3>>) {
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-129:100>:f32, 0.5:3>>) {
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:128>:f32, 0.5:3>>) {
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3x!quant.uniform<i8<100:100>:f32, 0.5:100>>) {
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<2x3x!quant.uniform<u4<-1:15>:f32, 0.5:3>>) {
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 5:3>>) {
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, true:3>>) {
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, -0.5:3>>) {
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 0.0:3>>) {
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 1.0e39:3>>) {
  func.return
}

// -----

// expect: C6
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f16, 65536.0:3>>) {
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 0.5:101>>) {
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 0.5:-101>>) {
  func.return
}

// -----

// expect: C7
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32, 0.5:128>>) {
  func.return
}

// -----

// expect: C8
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, 0.5:3.0>>) {
  func.return
}

// -----

// expect: C10
func.func @f(%x: tensor<2x3x!quant.uniform<i8<-100:100>:f32, {0.5:3, 0.25}>>) {
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:0, {0.5:3, 0.25}>>) {
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:0, {0.5:3, 0.25:}>>) {
  func.return
}

// -----

// expect: C9
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:0, {0.5:3, :1}>>) {
  func.return
}

// -----

// expect: C11
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:-1, {0.5:3, 0.25}>>) {
  func.return
}

// -----

// expect: C12
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:2, {0.5:3, 0.25}>>) {
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:1, {0.5:3, 0.25}>>) {
  func.return
}

// -----

// expect: C13
func.func @f(%x: tensor<2x3x!quant.uniform<i8:f32:0, {0.5:3}>>) {
  func.return
}
