// expect: ok
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C1
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1, 2], [1, 2, 0]]> : tensor<2x3xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C1
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[0, 1]> : tensor<2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C2
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1], [0, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1], [2, 1]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1], [1, 3]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = false, source_target_pairs = dense<[[0, 1], [-1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C5
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 2>, is_host_transfer = false, source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}

// -----

// expect: C5
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>, %t: !stablehlo.token) {
    %r = "stablehlo.send"(%x, %t) <{channel_handle = #stablehlo.channel_handle<handle = 0, type = 1>, is_host_transfer = true, source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>, !stablehlo.token) -> !stablehlo.token
    func.return
  }
}
