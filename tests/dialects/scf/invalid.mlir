// RUN: stepwell-opt %s --verify-diagnostics --split-input-file

func.func @f(%d: tensor<4xf32>, %e: tensor<4xf32>, %v: tensor<1xf32>) {
  // expected-error @+1 {{scf.forall: C3: in_parallel must insert into the loop's shared outputs}}
  %r = scf.forall (%i) in (4) shared_outs(%o = %d) -> (tensor<4xf32>) {
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %v into %e[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  func.return
}

// -----

func.func @f(%d: tensor<4xf32>) {
  scf.forall (%i) in (4) {
    // expected-error @+1 {{scf.forall.in_parallel: C1: cannot hold arith.constant}}
    scf.forall.in_parallel {
      %c = arith.constant 1 : index
    }
  }
  func.return
}
