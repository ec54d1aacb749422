// RUN: stepwell-opt %s --verify-diagnostics --split-input-file

func.func @f(%d: tensor<4x8xf32>, %v: tensor<1xf32>) {
  %r = scf.forall (%i) in (4) shared_outs(%o = %d) -> (tensor<4x8xf32>) {
    scf.forall.in_parallel {
      // expected-error @+1 {{tensor.parallel_insert_slice: C1: 1 offsets for tensor<4x8xf32>}}
      tensor.parallel_insert_slice %v into %o[%i] [1] [1] : tensor<1xf32> into tensor<4x8xf32>
    }
  }
  func.return
}

// -----

func.func @f(%d: tensor<4xf32>, %v: tensor<1xf64>) {
  %r = scf.forall (%i) in (4) shared_outs(%o = %d) -> (tensor<4xf32>) {
    scf.forall.in_parallel {
      // expected-error @+1 {{tensor.parallel_insert_slice: C2}}
      tensor.parallel_insert_slice %v into %o[%i] [1] [1] : tensor<1xf64> into tensor<4xf32>
    }
  }
  func.return
}
