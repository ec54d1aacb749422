// expect: ok
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C1
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 0]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C2
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 2]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C2
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, -2]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<5xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s, %s : tensor<i64>, tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>, %c: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C4
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}> ({
    ^bb0(%a: tensor<i32>, %b: tensor<i32>):
      %s = stablehlo.add %a, %b : tensor<i32>
      stablehlo.return %s : tensor<i32>
    }) : (tensor<4xi64>, tensor<4xi64>) -> (tensor<4xi32>, tensor<4xi32>)
    func.return
  }
}

// -----

// expect: ok
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>, %i: tensor<2xi32>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>, tensor<2xi32>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>, %i: tensor<1xi32>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>, tensor<1xi32>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}

// -----

// expect: C3
module attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func @f(%x: tensor<4xi64>, %y: tensor<4xi64>, %i: tensor<2x1xi32>) {
    %r:2 = "stablehlo.collective_reduce"(%x, %y, %i) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>, has_dynamic_root}> ({
    ^bb0(%a: tensor<i64>, %b: tensor<i64>):
      %s = stablehlo.add %a, %b : tensor<i64>
      stablehlo.return %s : tensor<i64>
    }) : (tensor<4xi64>, tensor<4xi64>, tensor<2x1xi32>) -> (tensor<4xi64>, tensor<4xi64>)
    func.return
  }
}
