// RUN: stepwell-opt %s --apply-schedule --verify-diagnostics --split-input-file

// Strategies: their names, and the machines they are for.
// expected-error@below {{has a schedule of a strategy that does not exist: 'loop'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loop", {vector = 32 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a schedule of a strategy that does not exist: 'magic'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"magic", {}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a block-rows schedule that is wrong: it does not say 'subgroup'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-rows", {vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a block-transpose schedule that is wrong: it does not say 'subgroup'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-transpose", {vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a block-contraction schedule that is wrong: it does not say 'subgroup'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-contraction", {vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a contraction schedule that is wrong: subgroups of lanes have no such strategy}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
// expected-error@below {{it does not say 'subgroup', and the machine has subgroups of 32 lanes}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 32 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}
}

// -----

module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
// expected-error@below {{subgroup = 64, but the machine has subgroups of 32 lanes}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 512 : i64, subgroup = 64 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}
}

// -----

// Parameters that a strategy has not.
// expected-error@below {{has a loops schedule that is wrong: it has no parameter 'vektor'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vektor = 32 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{it has no parameter 'tile'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {tile = 32 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{it has no parameter 'tile'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64, tile = 32 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{it has no parameter 'kept'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {kept = 4 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{it has no parameter 'subgroups'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroups = 4 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{it has no parameter 'grain'}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64, grain = 4 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// Values of the wrong kind, and parameters that are not said.
// expected-error@below {{subgroups = "x" is no number}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroup = 32 : i64, subgroups = "x"}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{vector = 3.200000e+01 : f32 is no number}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 32.0 : f32}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{reason = 3 : i64 is no text}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {reason = 3 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{form = 3 : i64 is no text}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = 3 : i64, bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{there is no form 'registers'}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "registers", bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{it does not say bm, bn, bk, wm, wn, lanes_m, lanes_n}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64, form = "shared"}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{it does not say tile}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-transpose", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// Values out of range.
// expected-error@below {{vector = -16 must be 0 or at least 16}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = -16 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{vector = 24 must be a power of two}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 24 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{unroll = 0 must be at least 1}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 16 : i64, unroll = 0 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{tasks = 0 must be at least 1}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 16 : i64, tasks = 0 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{parallel = 2 must be 0 or 1}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {vector = 16 : i64, parallel = 2 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{mr = 0 must be at least 1}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 16 : i64, mr = 0 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{block = -1 must be at least 1}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 16 : i64, block = -1 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{kc = 0 must be at least 1}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 16 : i64, kc = 0 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{subgroup = 24 must be a power of two}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroup = 24 : i64, vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{vector = 16 must be a multiple of subgroup = 32}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroup = 32 : i64, vector = 16 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{split = 0 must be at least 1}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"loops", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64, split = 0 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{tile = 0 must be at least 1}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-transpose", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64, tile = 0 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{bk = -8 must be at least 1}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "register", bm = 32 : i64, bn = 32 : i64, bk = -8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{swizzle = 3 must be a power of two}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "register", bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64, swizzle = 3 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{stages = 1000 must be at most 64}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "register", bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64, stages = 1000 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
// expected-error@below {{subgroups = 3, but 32x32 is 1 parts of 32x32}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "register", bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64, subgroups = 3 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}
}

// -----

module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
// expected-error@below {{a 32x32 tile is not made of 24x32 parts}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "register", bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 24 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%o : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}
}

// -----

// Kernels that are not what the strategy is for.
// expected-error@below {{has a rows schedule that is wrong: the kernel has no rows: fewer than two ops to keep a row for}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {vector = 16 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a rows schedule that is wrong: the kernel has no rows: fewer than two ops to keep a row for}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"rows", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a block-rows schedule that is wrong: the kernel has no rows: fewer than two ops to keep a row for}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-rows", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a block-rows schedule that is wrong: its rows have no segments: the rows of its passes have not one extent}}
kernel.func @k(%x: tensor<4x64xf32>, %y: tensor<4x128xf32>, %o: tensor<4xf32>, %q: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) attributes {access = ["read", "read", "write", "write"], schedule = #kernel.schedule<"block-rows", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x64xf32>) outs(%o : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = arith.addf %a, %b : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %u = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%y, %r : tensor<4x128xf32>, tensor<4xf32>) outs(%q : tensor<4xf32>) {
  ^bb0(%a: f32, %c: f32, %b: f32):
    %m = arith.mulf %a, %c : f32
    %t = arith.addf %m, %b : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  kernel.return %r, %u : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error@below {{has a contraction schedule that is wrong: no op of the kernel is a contraction}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"contraction", {vector = 16 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

module attributes {stepwell.target = {level = "simt", subgroup = 32 : i64, vector_bits = 4096 : i64, cores = 8 : i64, block_threads = 1024 : i64, shared_bytes = 49152 : i64, shared_limit = 232448 : i64}} {
// expected-error@below {{has a block-contraction schedule that is wrong: no op of the kernel is a contraction with a form of blocks}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-contraction", {subgroup = 32 : i64, vector = 512 : i64, form = "register", bm = 32 : i64, bn = 32 : i64, bk = 8 : i64, wm = 32 : i64, wn = 32 : i64, lanes_m = 4 : i64, lanes_n = 8 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}
}

// -----

// expected-error@below {{has a block-transpose schedule that is wrong: nothing it reads along another dim than it writes along is as large as tile = 32}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"block-transpose", {subgroup = 32 : i64, subgroups = 4 : i64, vector = 512 : i64, tile = 32 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// expected-error@below {{has a window schedule that is wrong: no op of the kernel is a sum of products over a window}}
kernel.func @k(%x: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"window", {vector = 64 : i64}>} {
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<64xf32>) outs(%o : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %y = arith.addf %a, %a : f32
    linalg.yield %y : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// Kernels that are what the strategy is for, but have no tiles: they do not become loops in silence.
// expected-error@below {{has a contraction schedule that is wrong: it has no tiles for a contraction: scalar code}}
kernel.func @k(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 0 : i64, mr = 4 : i64}>} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<32x32xf32>) -> tensor<32x32xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x32xf32>, tensor<32x32xf32>) outs(%f : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{it has no tiles for a contraction: too small for tiles}}
kernel.func @k(%a: tensor<3x3xf32>, %b: tensor<3x3xf32>, %o: tensor<3x3xf32>) -> tensor<3x3xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 16 : i64, mr = 2 : i64}>} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<3x3xf32>) -> tensor<3x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<3x3xf32>, tensor<3x3xf32>) outs(%f : tensor<3x3xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<3x3xf32>
  kernel.return %r : tensor<3x3xf32>
}

// -----

// expected-error@below {{it has no tiles for a contraction: an empty space}}
kernel.func @k(%a: tensor<32x0xf32>, %b: tensor<0x32xf32>, %o: tensor<32x32xf32>) -> tensor<32x32xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"contraction", {vector = 16 : i64}>} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<32x32xf32>) -> tensor<32x32xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a, %b : tensor<32x0xf32>, tensor<0x32xf32>) outs(%f : tensor<32x32xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<32x32xf32>
  kernel.return %r : tensor<32x32xf32>
}

// -----

// expected-error@below {{has a window schedule that is wrong: it has no tiles for a sum of products over a window: scalar code}}
kernel.func @k(%x: tensor<66xf32>, %w: tensor<3xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "read", "write"], schedule = #kernel.schedule<"window", {vector = 0 : i64}>} {
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x, %w : tensor<66xf32>, tensor<3xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}

// -----

// A factor that is one number is nothing to read: what takes a window has none.
// expected-error@below {{has a window schedule that is wrong: no op of the kernel is a sum of products over a window}}
kernel.func @k(%x: tensor<66xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {access = ["read", "write"], schedule = #kernel.schedule<"window", {vector = 64 : i64}>} {
  %z = arith.constant 0.0 : f32
  %w = arith.constant dense<0.5> : tensor<3xf32>
  %f = linalg.fill ins(%z : f32) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x, %w : tensor<66xf32>, tensor<3xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%l: f32, %m: f32, %c: f32):
    %p = arith.mulf %l, %m : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  kernel.return %r : tensor<64xf32>
}
