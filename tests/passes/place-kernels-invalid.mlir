// RUN: stepwell-opt %s --place-kernels --split-input-file --verify-diagnostics

// expected-error@+1 {{'kernel.func' op @k_map_0 has the kernel.place "devcie", which is neither "device" nor "host"}}
kernel.func @k_map_0(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"], kernel.place = "devcie"} {
  kernel.return %out : tensor<8xf32>
}

// -----

// expected-error@+1 {{'place-kernels' needs tensors (step 3); its signature has memref<8xf32>}}
kernel.func @k_map_0(%x: memref<8xf32>, %out: memref<8xf32>) attributes {access = ["read", "write"]} {
  kernel.return
}
