// expect: ok
func.func @f(%x: tensor<2x2xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x2xf32>) -> tensor<2xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x2xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x2xf32>) -> tensor<2x2xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x2xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x2xf32>) -> tensor<3xi64>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x2xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x2xf32>) -> tensor<2x2x3xi16>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x2xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x2xf32>) -> tensor<4xi32>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<2x3xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x3xf32>) -> tensor<2xi64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<2x2xf32>) {
  %r = "stablehlo.bitcast_convert"(%x) : (tensor<2x2xf32>) -> tensor<2xcomplex<f32>>
  func.return
}
