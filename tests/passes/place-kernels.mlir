// RUN: stepwell-opt %s --place-kernels --split-input-file --verify-diagnostics
// RUN: stepwell-opt %s --place-kernels --split-input-file | filecheck %s

// CHECK-LABEL: kernel.func @k_map_0
// CHECK-SAME: kernel.place = "device", kernel.place_reason = "every op has a device form"
kernel.func @k_map_0(%x: tensor<8xbf16>, %n: tensor<8xi4>, %out: tensor<8xbf16>) -> tensor<8xbf16> attributes {access = ["read", "read", "write"]} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x, %n : tensor<8xbf16>, tensor<8xi4>) outs(%out : tensor<8xbf16>) {
  ^bb0(%a: bf16, %b: i4, %o: bf16):
    %c = arith.sitofp %b : i4 to bf16
    %s = arith.addf %a, %c : bf16
    linalg.yield %s : bf16
  } -> tensor<8xbf16>
  kernel.return %r : tensor<8xbf16>
}

// -----

// CHECK-LABEL: kernel.func @k_single_0
// CHECK-SAME: kernel.place = "host", kernel.place_reason = "structured.sort has no device form"
kernel.func @k_single_0(%x: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["readwrite"]} {
  // expected-remark@+1 {{structured.sort: kernel @k_single_0 runs on the host: structured.sort has no device form}}
  %s = structured.sort outs(%x : tensor<8xf32>) {dimension = 0 : i64, stable} {
  ^bb0(%a: f32, %b: f32):
    %lt = arith.cmpf olt, %a, %b : f32
    structured.yield %lt : i1
  } -> tensor<8xf32>
  kernel.return %s : tensor<8xf32>
}

// -----

// Reported once, not at each op of the type.
// CHECK-LABEL: kernel.func @k_map_0
// CHECK-SAME: kernel.place = "host", kernel.place_reason = "numbers of type complex<f32> have no device form"
// expected-remark@+1 {{kernel.func: kernel @k_map_0 runs on the host: numbers of type complex<f32> have no device form}}
kernel.func @k_map_0(%x: tensor<8xcomplex<f32>>, %out: tensor<8xcomplex<f32>>) -> tensor<8xcomplex<f32>> attributes {access = ["read", "write"]} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xcomplex<f32>>) outs(%out : tensor<8xcomplex<f32>>) {
  ^bb0(%a: complex<f32>, %o: complex<f32>):
    linalg.yield %a : complex<f32>
  } -> tensor<8xcomplex<f32>>
  kernel.return %r : tensor<8xcomplex<f32>>
}

// -----

// A type may be met inside only.
// CHECK-LABEL: kernel.func @k_map_0
// CHECK-SAME: kernel.place = "host", kernel.place_reason = "f8E4M3FN is converted in host code only"
kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%out : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    // expected-remark@+1 {{arith.truncf: kernel @k_map_0 runs on the host: f8E4M3FN is converted in host code only}}
    %t = arith.truncf %a : f32 to f8E4M3FN
    %w = arith.extf %t : f8E4M3FN to f32
    linalg.yield %w : f32
  } -> tensor<8xf32>
  kernel.return %r : tensor<8xf32>
}

// -----

// CHECK-LABEL: kernel.func @k_map_0
// CHECK-SAME: kernel.place = "host", kernel.place_reason = "tensor<?xf32> is not static, and a grid is"
// expected-remark@+1 {{kernel @k_map_0 runs on the host: tensor<?xf32> is not static}}
kernel.func @k_map_0(%x: tensor<?xf32>, %out: tensor<?xf32>) -> tensor<?xf32> attributes {access = ["read", "write"]} {
  kernel.return %out : tensor<?xf32>
}

// -----

// Placed by hand: left as it is, the reason too.
// CHECK-LABEL: kernel.func @k_map_0
// CHECK-SAME: kernel.place = "host", kernel.place_reason = "I say so"
kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"], kernel.place = "host", kernel.place_reason = "I say so"} {
  kernel.return %out : tensor<8xf32>
}

// -----

// The points of an update do not depend on each other.
// CHECK-LABEL: kernel.func @k_single_0
// CHECK-SAME: kernel.place = "device", kernel.place_reason = "every op has a device form"
kernel.func @k_single_0(%u: tensor<2xf32>, %i: tensor<i32>, %x: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "read", "readwrite"]} {
  %r = structured.update_slice ins(%u, %i : tensor<2xf32>, tensor<i32>) outs(%x : tensor<8xf32>) -> tensor<8xf32>
  kernel.return %r : tensor<8xf32>
}

// -----

// The region of a reduction has the device form of its ops.
// CHECK-LABEL: kernel.func @k_single_0
// CHECK-SAME: kernel.place = "device", kernel.place_reason = "every op has a device form"
kernel.func @k_single_0(%x: tensor<8xf32>, %o: tensor<f32>) -> tensor<f32> attributes {access = ["read", "readwrite"]} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<8xf32>) outs(%o : tensor<f32>) {
  ^bb0(%a: f32, %acc: f32):
    %e = structured.element %a into %acc : f32
    %d = arith.subf %acc, %e : f32
    linalg.yield %d : f32
  } -> tensor<f32>
  kernel.return %r : tensor<f32>
}
