// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{sdy.mesh: axes: axes ['a', 'a'] repeat a name}}
sdy.mesh @mesh = <["a"=2, "a"=4]>

// -----

// expected-error @+1 {{sdy.mesh: device_ids: [0, 2] do not name each of 2 devices once}}
sdy.mesh @mesh = <["a"=2], device_ids=[0, 2]>

// -----

// expected-error @+1 {{sdy.mesh: axes: axis Axis(name='a', size=0) must have a positive size}}
sdy.mesh @mesh = <["a"=0]>

// -----

// expected-error @+1 {{'?' comes last}}
func.func @open(%x: tensor<8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{?, "a"}]>}) {
  return
}

// -----

// expected-error @+1 {{expected a priority as p0, got 'q1'}}
func.func @priority(%x: tensor<8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}q1]>}) {
  return
}

// -----

// expected-error @+1 {{unknown attribute '#sdy.shardin'}}
func.func @unknown(%x: tensor<8xf32> {sdy.sharding = #sdy.shardin<@mesh, [{"a"}]>}) {
  return
}

// -----

// expected-error @+1 {{the sizes of a part of an axis are positive}}
func.func @part(%x: tensor<8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a":(1)0}]>}) {
  return
}

// -----

func.func @types(%x: tensor<8xf32>) {
  // expected-error @+1 {{sdy.reshard: type: (tensor<8xf32>, tensor<4xf32>) differ}}
  %0 = "sdy.reshard"(%x) <{sharding = #sdy.sharding<@mesh, [{}]>}> : (tensor<8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @no_mesh(%x: tensor<8xf32>) {
  // expected-error @+1 {{sdy.manual_computation: mesh: there is no mesh @mesh}}
  %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{}]>] out_shardings=[<@mesh, [{}]>] manual_axes={} (%p: tensor<8xf32>) {
    sdy.return %p : tensor<8xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

sdy.mesh @mesh = <["a"=2]>
func.func @part_of_operand(%x: tensor<8xf32>) {
  // expected-error @+1 {{sdy.manual_computation: in_shardings: the part of tensor<8xf32> is tensor<8xf32>, expected tensor<4xf32>}}
  %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}]>] out_shardings=[<@mesh, [{}]>] manual_axes={"a"} (%p: tensor<8xf32>) {
    sdy.return %p : tensor<8xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

sdy.mesh @mesh = <["a"=3]>
func.func @no_parts(%x: tensor<8xf32>) {
  // expected-error @+1 {{sdy.manual_computation: in_shardings: tensor<8xf32> does not split into [3]}}
  %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}]>] out_shardings=[<@mesh, [{}]>] manual_axes={"a"} (%p: tensor<8xf32>) {
    sdy.return %p : tensor<8xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

sdy.mesh @mesh = <["a"=2]>
func.func @counts(%x: tensor<8xf32>) {
  // expected-error @+1 {{sdy.manual_computation: out_shardings: counts differ: [0, 1, 1]}}
  %0 = sdy.manual_computation(%x) in_shardings=[<@mesh, [{"a"}]>] out_shardings=[] manual_axes={"a"} (%p: tensor<4xf32>) {
    sdy.return %p : tensor<4xf32>
  } : (tensor<8xf32>) -> tensor<8xf32>
  return
}
