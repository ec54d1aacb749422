// RUN: stepwell-opt %s --split-input-file --profile-launches --verify-diagnostics

// expected-error @+1 {{'profile-launches' needs an entry, a function with stepwell.abi}}
module {
  func.func @main(%x: memref<8xf32>) {
    func.return
  }
}

// -----

// expected-error @+1 {{its kernels are not launched by calls of its host}}
module attributes {stepwell.target = {subgroup = 32 : i64}} {
  func.func @main(%x: memref<8xf32>, %arena: memref<?xi8>, %workers: memref<?x0xi8>)
      attributes {stepwell.abi = #stepwell.abi<{inputs = ["tensor<8xf32>"], outputs = [], donated = array<i64>}>} {
    func.return
  }
}
