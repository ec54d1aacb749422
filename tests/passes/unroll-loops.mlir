// RUN: stepwell-opt %s --split-input-file --unroll-loops | filecheck %s

// Rounds of a mixing function, as JAX's random numbers are: the counter and what it selects go along.

// CHECK-LABEL: func.func @rounds
// CHECK-SAME: (%[[X:.*]]: tensor<4096xui32>, %[[K:.*]]: tensor<ui32>)
// CHECK-NOT: stablehlo.while
// CHECK: %[[A:.*]] = stablehlo.xor %[[X]], %{{.*}}
// CHECK: %[[B:.*]] = stablehlo.xor %[[A]], %{{.*}}
// CHECK: %[[C:.*]] = stablehlo.xor %[[B]], %{{.*}}
// CHECK-NOT: stablehlo.xor
// CHECK: func.return %[[C]]
func.func @rounds(%x: tensor<4096xui32>, %k: tensor<ui32>) -> tensor<4096xui32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<4096xui32>
  cond {
    %three = stablehlo.constant dense<3> : tensor<i32>
    %c = stablehlo.compare LT, %i, %three, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.convert %i : (tensor<i32>) -> tensor<ui32>
    %s = stablehlo.add %n, %k : tensor<ui32>
    %t = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<ui32>) -> tensor<4096xui32>
    %b = stablehlo.xor %a, %t : tensor<4096xui32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %b : tensor<i32>, tensor<4096xui32>
  }
  func.return %r#1 : tensor<4096xui32>
}

// -----

// Two values that change places, a limit that counts, and no trip at all.

// CHECK-LABEL: func.func @swapped
// CHECK-SAME: (%[[X:.*]]: tensor<64x64xf32>, %[[Y:.*]]: tensor<64x64xf32>)
// CHECK-NOT: stablehlo.while
// CHECK: %[[A:.*]] = stablehlo.negate %[[Y]]
// CHECK: %[[B:.*]] = stablehlo.negate %[[X]]
// CHECK-NOT: stablehlo.negate
// CHECK: func.return %[[B]], %[[A]], %[[X]]
func.func @swapped(%x: tensor<64x64xf32>, %y: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %one = stablehlo.constant dense<1> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %r:3 = stablehlo.while(%i = %one, %a = %x, %b = %y) : tensor<i32>, tensor<64x64xf32>, tensor<64x64xf32>
  cond {
    %c = stablehlo.compare LE, %i, %two, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.negate %b : tensor<64x64xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %n, %a : tensor<i32>, tensor<64x64xf32>, tensor<64x64xf32>
  }
  %s:2 = stablehlo.while(%i = %two, %a = %x) : tensor<i32>, tensor<64x64xf32>
  cond {
    %c = stablehlo.compare LT, %i, %two, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.negate %a : tensor<64x64xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %n : tensor<i32>, tensor<64x64xf32>
  }
  func.return %r#1, %r#2, %s#1 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}

// -----

// What stays: a loop over few numbers, and one that is long.

// CHECK-LABEL: func.func @few
// CHECK: stablehlo.while
// CHECK: stablehlo.while
func.func @few(%x: tensor<64x63xf32>, %y: tensor<64x64xf32>) -> (tensor<64x63xf32>, tensor<64x64xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %three = stablehlo.constant dense<3> : tensor<i32>
  %many = stablehlo.constant dense<1000> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<64x63xf32>
  cond {
    %c = stablehlo.compare LT, %i, %three, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.negate %a : tensor<64x63xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %n : tensor<i32>, tensor<64x63xf32>
  }
  %s:2 = stablehlo.while(%i = %zero, %a = %y) : tensor<i32>, tensor<64x64xf32>
  cond {
    %c = stablehlo.compare LT, %i, %many, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.negate %a : tensor<64x64xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %n : tensor<i32>, tensor<64x64xf32>
  }
  func.return %r#1, %s#1 : tensor<64x63xf32>, tensor<64x64xf32>
}

// -----

// A limit that is an argument, a product, and a loop within a loop whose inner one is written out first.

// CHECK-LABEL: func.func @others
// CHECK: stablehlo.while
// CHECK: stablehlo.while
// CHECK: stablehlo.dot_general
// CHECK-NOT: stablehlo.while
// CHECK-COUNT-4: stablehlo.negate
// CHECK-NOT: stablehlo.negate
// CHECK: func.return
func.func @others(%x: tensor<64x64xf32>, %limit: tensor<i32>) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<64x64xf32>
  cond {
    %c = stablehlo.compare LT, %i, %limit, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.abs %a : tensor<64x64xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %n : tensor<i32>, tensor<64x64xf32>
  }
  %s:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<64x64xf32>
  cond {
    %c = stablehlo.compare LT, %i, %two, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %n = stablehlo.dot_general %a, %x, contracting_dims = [1] x [0] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %n : tensor<i32>, tensor<64x64xf32>
  }
  %t:2 = stablehlo.while(%i = %zero, %a = %x) : tensor<i32>, tensor<64x64xf32>
  cond {
    %c = stablehlo.compare LT, %i, %two, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %u:2 = stablehlo.while(%k = %zero, %b = %a) : tensor<i32>, tensor<64x64xf32>
    cond {
      %c = stablehlo.compare LT, %k, %two, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %c : tensor<i1>
    } do {
      %n = stablehlo.negate %b : tensor<64x64xf32>
      %l = stablehlo.add %k, %one : tensor<i32>
      stablehlo.return %l, %n : tensor<i32>, tensor<64x64xf32>
    }
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %u#1 : tensor<i32>, tensor<64x64xf32>
  }
  func.return %r#1, %s#1, %t#1 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}
