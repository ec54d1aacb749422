// RUN: stepwell-opt %s --bufferize --verify-diagnostics --split-input-file

kernel.func @not_shared(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %r = scf.forall (%w) in (1) shared_outs(%s = %o) -> (tensor<8xf32>) {
    // expected-error@+1 {{is scratch of a block, but what first writes it is not done by a block}}
    %t = tensor.empty() {scratch = #kernel.scratch<block>} : tensor<8xf32>
    %v = vector.transfer_read %x[%c0], %z {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %t1 = vector.transfer_write %v, %t[%c0] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    %u = vector.transfer_read %t1[%c0], %z {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %r1 = vector.transfer_write %u, %s[%c0] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r1 into %s[0] [8] [1] : tensor<8xf32> into tensor<8xf32>
    }
  } {mapping = [#kernel.level<subgroup>]}
  kernel.return %r : tensor<8xf32>
}

// -----

kernel.func @no_subgroup(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %r = scf.forall (%w) in (1) shared_outs(%s = %o) -> (tensor<8xf32>) {
    // expected-error@+1 {{is scratch of a subgroup, but what first writes it is done by neither a block nor a subgroup}}
    %t = tensor.empty() {scratch = #kernel.scratch<subgroup>} : tensor<8xf32>
    %v = vector.transfer_read %x[%c0], %z {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %t1 = vector.transfer_write %v, %t[%c0] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    %u = vector.transfer_read %t1[%c0], %z {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %r1 = vector.transfer_write %u, %s[%c0] {in_bounds = [true]} : vector<8xf32>, tensor<8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r1 into %s[0] [8] [1] : tensor<8xf32> into tensor<8xf32>
    }
  }
  kernel.return %r : tensor<8xf32>
}
