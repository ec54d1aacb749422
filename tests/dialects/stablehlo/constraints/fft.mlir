// expect: ok
func.func @f(%x: tensor<4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 9>}> : (tensor<4x9xcomplex<f32>>) -> tensor<4x9xcomplex<f32>>
  func.return
}

// -----

// expect: C1
func.func @f(%x: tensor<4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 1, 4, 9>}> : (tensor<4x9xcomplex<f32>>) -> tensor<4x9xcomplex<f32>>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 9>}> : (tensor<4x9xcomplex<f32>>) -> tensor<4x9xcomplex<f64>>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 9>}> : (tensor<4x9xcomplex<f32>>) -> tensor<4x9xf32>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64>}> : (tensor<4x9xcomplex<f32>>) -> tensor<4x9xcomplex<f32>>
  func.return
}

// -----

// expect: C3
func.func @f(%x: tensor<1x1x4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 1, 1, 4, 9>}> : (tensor<1x1x4x9xcomplex<f32>>) -> tensor<1x1x4x9xcomplex<f32>>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x9xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type FFT>, fft_length = array<i64: 9>}> : (tensor<4x9xcomplex<f32>>) -> tensor<4x5xcomplex<f32>>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<4x9xf32>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type RFFT>, fft_length = array<i64: 9>}> : (tensor<4x9xf32>) -> tensor<4x5xcomplex<f32>>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x9xf32>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type RFFT>, fft_length = array<i64: 9>}> : (tensor<4x9xf32>) -> tensor<4x5xcomplex<f64>>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<4x9xf32>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type RFFT>, fft_length = array<i64: 8>}> : (tensor<4x9xf32>) -> tensor<4x5xcomplex<f32>>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x9xf32>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type RFFT>, fft_length = array<i64: 9>}> : (tensor<4x9xf32>) -> tensor<4x9xcomplex<f32>>
  func.return
}

// -----

// expect: ok
func.func @f(%x: tensor<4x5xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 9>}> : (tensor<4x5xcomplex<f32>>) -> tensor<4x9xf32>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x5xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 9>}> : (tensor<4x5xcomplex<f32>>) -> tensor<4x9xf64>
  func.return
}

// -----

// expect: C2
func.func @f(%x: tensor<4x5xf32>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 9>}> : (tensor<4x5xf32>) -> tensor<4x9xf32>
  func.return
}

// -----

// expect: C4
func.func @f(%x: tensor<4x5xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 9>}> : (tensor<4x5xcomplex<f32>>) -> tensor<4x8xf32>
  func.return
}

// -----

// expect: C5
func.func @f(%x: tensor<4x6xcomplex<f32>>) {
  %r = "stablehlo.fft"(%x) <{fft_type = #stablehlo<fft_type IRFFT>, fft_length = array<i64: 9>}> : (tensor<4x6xcomplex<f32>>) -> tensor<4x9xf32>
  func.return
}
