// RUN: stepwell-opt %s --split-input-file --legalize-quantization | filecheck %s

// CHECK-LABEL: func.func @elementwise(%x: tensor<4xi8>) -> tensor<4xi8>
// CHECK-DAG: %[[F:.*]] = stablehlo.convert %x : (tensor<4xi8>) -> tensor<4xf32>
// CHECK-DAG: %[[D:.*]] = stablehlo.subtract %[[F]], %{{.*}} : tensor<4xf32>
// CHECK-DAG: %[[M:.*]] = stablehlo.multiply %[[D]], %{{.*}} : tensor<4xf32>
// CHECK: %[[T:.*]] = stablehlo.tanh %[[M]] : tensor<4xf32>
// A scale of 1/4 is a product; there is no zero point to add.
// CHECK: %[[Q:.*]] = stablehlo.multiply %[[T]], %{{.*}} : tensor<4xf32>
// CHECK-NEXT: dense<-1.280000e+02>
// CHECK-NEXT: dense<1.270000e+02>
// CHECK-NEXT: %[[C:.*]] = stablehlo.clamp %{{.*}}, %[[Q]], %{{.*}} : (tensor<f32>, tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
// CHECK-NEXT: %[[R:.*]] = stablehlo.round_nearest_even %[[C]] : tensor<4xf32>
// CHECK-NEXT: %r = stablehlo.convert %[[R]] : (tensor<4xf32>) -> tensor<4xi8>
// CHECK-NOT: quant
func.func @elementwise(%x: tensor<4x!quant.uniform<i8:f32, 0.5:3>>) -> tensor<4x!quant.uniform<i8:f32, 0.25>> {
  %r = stablehlo.tanh %x : (tensor<4x!quant.uniform<i8:f32, 0.5:3>>) -> tensor<4x!quant.uniform<i8:f32, 0.25>>
  return %r : tensor<4x!quant.uniform<i8:f32, 0.25>>
}

// -----

// Bytes are multiplied as they are stored; what the zero point of one side adds is as often the sums of the other. Scales of
// channels are multiplied into the sums.
// CHECK-LABEL: func.func @dot
// CHECK: %[[P:.*]] = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3xi8>, tensor<3x2xi8>) -> tensor<2x2xi32>
// CHECK: %[[W:.*]] = stablehlo.convert %w : (tensor<3x2xi8>) -> tensor<3x2xi32>
// CHECK: %[[S:.*]] = stablehlo.reduce(%[[W]]{{.*}} across dimensions = [0]
// CHECK: %[[T:.*]] = stablehlo.multiply %[[S]]
// CHECK: %[[C:.*]] = stablehlo.broadcast_in_dim %[[T]], dims = [1] : (tensor<2xi32>) -> tensor<2x2xi32>
// CHECK: stablehlo.subtract %[[P]], %[[C]]
// CHECK: stablehlo.convert %{{.*}} : (tensor<2x2xi32>) -> tensor<2x2xf32>
// CHECK: stablehlo.constant dense<[1.250000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK: stablehlo.broadcast_in_dim %{{.*}}, dims = [1]
func.func @dot(%x: tensor<2x3x!quant.uniform<i8:f32, 0.5:3>>, %w: tensor<3x2x!quant.uniform<i8:f32:1, {0.25, 0.5}>>) -> tensor<2x2x!quant.uniform<i8:f32, 1.0>> {
  %r = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3x!quant.uniform<i8:f32, 0.5:3>>, tensor<3x2x!quant.uniform<i8:f32:1, {0.25, 0.5}>>) -> tensor<2x2x!quant.uniform<i8:f32, 1.0>>
  return %r : tensor<2x2x!quant.uniform<i8:f32, 1.0>>
}

// -----

// Without zero points the stored integers are multiplied as they are.
// CHECK-LABEL: func.func @plain_dot
// CHECK: stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3xi8>, tensor<3x2xi8>) -> tensor<2x2xi32>
func.func @plain_dot(%x: tensor<2x3x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x2x!quant.uniform<i8:f32, 0.25>>) -> tensor<2x2x!quant.uniform<i8:f32, 1.0>> {
  %r = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3x!quant.uniform<i8:f32, 0.5>>, tensor<3x2x!quant.uniform<i8:f32, 0.25>>) -> tensor<2x2x!quant.uniform<i8:f32, 1.0>>
  return %r : tensor<2x2x!quant.uniform<i8:f32, 1.0>>
}

// -----

// 16-bit products need 64 bits to be summed.
// CHECK-LABEL: func.func @wide_dot
// CHECK: stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3xi16>, tensor<3x2xi16>) -> tensor<2x2xi64>
func.func @wide_dot(%x: tensor<2x3x!quant.uniform<i16:f32, 0.5>>, %w: tensor<3x2x!quant.uniform<i16:f32, 0.25>>) -> tensor<2x2x!quant.uniform<i16:f32, 1.0>> {
  %r = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3x!quant.uniform<i16:f32, 0.5>>, tensor<3x2x!quant.uniform<i16:f32, 0.25>>) -> tensor<2x2x!quant.uniform<i16:f32, 1.0>>
  return %r : tensor<2x2x!quant.uniform<i16:f32, 1.0>>
}

// -----

// Only weights are quantized: floats.
// CHECK-LABEL: func.func @hybrid
// CHECK: stablehlo.dot_general %x, %{{.*}}, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x2xf32>
func.func @hybrid(%x: tensor<2x3xf32>, %w: tensor<3x2x!quant.uniform<i8:f32, 0.25>>) -> tensor<2x2xf32> {
  %r = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x2x!quant.uniform<i8:f32, 0.25>>) -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// -----

// Elements only move; a value of other signedness is read as the storage.
// CHECK-LABEL: func.func @moved(%x: tensor<2x3xui8>) -> tensor<3x2xui8>
// CHECK-NEXT: stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xui8>) -> tensor<3x2xui8>
// CHECK-NEXT: %[[C:.*]] = stablehlo.constant dense<-1> : tensor<i8>
// CHECK-NEXT: stablehlo.bitcast_convert %[[C]] : (tensor<i8>) -> tensor<ui8>
// CHECK-NOT: f32
func.func @moved(%x: tensor<2x3x!quant.uniform<u8:f32:1, {0.5, 0.25, 1.0}>>) -> tensor<3x2x!quant.uniform<u8:f32:0, {0.5, 0.25, 1.0}>> {
  %r = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3x!quant.uniform<u8:f32:1, {0.5, 0.25, 1.0}>>) -> tensor<3x2x!quant.uniform<u8:f32:0, {0.5, 0.25, 1.0}>>
  %c = stablehlo.constant() <{value = dense<-1> : tensor<i8>}> : () -> tensor<!quant.uniform<u8:f32, 0.5>>
  return %r : tensor<3x2x!quant.uniform<u8:f32:0, {0.5, 0.25, 1.0}>>
}

// -----

// Of bytes, the padding is the zero point, and what it adds is as often the sum of each kernel.
// CHECK-LABEL: func.func @padded_convolution
// CHECK: %[[Z:.*]] = stablehlo.constant dense<3> : tensor<i8>
// CHECK: %[[P:.*]] = stablehlo.pad %x, %[[Z]], low = [0, 1, 0, 0], high = [0, 2, 0, 0], interior = [0, 0, 0, 0] : (tensor<1x4x4x2xi8>, tensor<i8>) -> tensor<1x7x4x2xi8>
// CHECK: %[[T:.*]] = stablehlo.convolution(%[[P]], %w){{.*}} : (tensor<1x7x4x2xi8>, tensor<3x3x2x5xi8>) -> tensor<1x5x2x5xi32>
// CHECK: %[[S:.*]] = stablehlo.reduce({{.*}} across dimensions = [0, 1, 2]
// CHECK: stablehlo.broadcast_in_dim %{{.*}}, dims = [3] : (tensor<5xi32>) -> tensor<1x5x2x5xi32>
// CHECK: stablehlo.subtract %[[T]]
func.func @padded_convolution(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5:3>>, %w: tensor<3x3x2x5x!quant.uniform<i8:f32, 0.25>>) -> tensor<1x5x2x5x!quant.uniform<i8:f32, 1.0>> {
  %r = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[1, 2], [0, 0]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5:3>>, tensor<3x3x2x5x!quant.uniform<i8:f32, 0.25>>) -> tensor<1x5x2x5x!quant.uniform<i8:f32, 1.0>>
  return %r : tensor<1x5x2x5x!quant.uniform<i8:f32, 1.0>>
}
