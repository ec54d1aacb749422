// expect: ok
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C1
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1, 2], [1, 2, 0]]> : tensor<2x3xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C1
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[0, 1]> : tensor<2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C2
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [0, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [2, 1]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 3]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [-1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi64>
    func.return
  }
}

// -----

// expect: C5
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x3xi64>
    func.return
  }
}

// -----

// expect: C5
module attributes {mhlo.num_replicas = 3 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<2x2xi64>) {
    %r = "stablehlo.collective_permute"(%x) <{source_target_pairs = dense<[[0, 1], [1, 2]]> : tensor<2x2xi64>}> : (tensor<2x2xi64>) -> tensor<2x2xi32>
    func.return
  }
}
