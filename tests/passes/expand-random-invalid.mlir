// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --expand-random

func.func @six_bits(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<4xf6E2M3FN>) {
  // expected-error @+1 {{'stablehlo.rng_bit_generator' op is not supported: no bits of type f6E2M3FN}}
  %0, %1 = stablehlo.rng_bit_generator %s, algorithm = PHILOX : (tensor<2xui64>) -> (tensor<2xui64>, tensor<4xf6E2M3FN>)
  return %0, %1 : tensor<2xui64>, tensor<4xf6E2M3FN>
}

// -----

// Without a state a loop could only draw the same numbers each time.

func.func @loop(%n: tensor<i32>, %a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %shape = stablehlo.constant dense<> : tensor<0xi64>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %x = %a) : tensor<i32>, tensor<f32>
  cond {
    %c = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    // expected-error @+1 {{inside of stablehlo.while it would give the same numbers each time}}
    %u = stablehlo.rng %a, %b, %shape, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<0xi64>) -> tensor<f32>
    %y = stablehlo.add %x, %u : tensor<f32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %y : tensor<i32>, tensor<f32>
  }
  return %r#1 : tensor<f32>
}

// -----

func.func @dynamic(%a: tensor<f32>, %n: tensor<1xi64>) -> tensor<?xf32> {
  // expected-error @+1 {{numbers of dynamic shape tensor<?xf32>}}
  %0 = stablehlo.rng %a, %a, %n, distribution = NORMAL : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
