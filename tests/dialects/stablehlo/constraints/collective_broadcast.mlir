// expect: ok
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r:2 = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C1
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r:2 = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C2
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r:2 = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, 2]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C2
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r:2 = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, -2]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r:2 = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> (tensor<1x3xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r:2 = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> (tensor<1x2xi32>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f() {
    "stablehlo.collective_broadcast"() <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : () -> ()
    func.return
  }
}

// -----

// expect: C5
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %r = "stablehlo.collective_broadcast"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> : (tensor<1x2xi64>, tensor<3xi64>) -> tensor<1x2xi64>
    func.return
  }
}

// -----

// expect: ok
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<[1, 0]> : tensor<2xi32>
    %r:2 = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<2xi32>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<[1, 0]> : tensor<2xi64>
    %r:2 = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<2xi64>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<1> : tensor<1xi32>
    %r:2 = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<1xi32>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<[1, 0]> : tensor<2xi32>
    %r:2 = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<2xi32>) -> (tensor<1x3xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f() {
    %i = stablehlo.constant dense<[1, 0]> : tensor<2xi32>
    "stablehlo.collective_broadcast"(%i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<2xi32>) -> ()
    func.return
  }
}

// -----

// expect: C5
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<[1, 0]> : tensor<2xi32>
    %r = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<2xi32>) -> tensor<1x2xi64>
    func.return
  }
}

// -----

// expect: C6
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
    %r:2 = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<2xi32>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}

// -----

// expect: C6
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<1x2xi64>, %y: tensor<3xi64>) {
    %i = stablehlo.constant dense<[-1, 0]> : tensor<2xi32>
    %r:2 = "stablehlo.collective_broadcast"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> : (tensor<1x2xi64>, tensor<3xi64>, tensor<2xi32>) -> (tensor<1x2xi64>, tensor<3xi64>)
    func.return
  }
}
