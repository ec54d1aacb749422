// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(bufferize)'

// expected-error @+1 {{argument 0 has type index}}
kernel.func @takes_an_index(%i: index, %o: tensor<4xf32>) -> tensor<4xf32> attributes {access = ["read", "write"]} {
  kernel.return %o : tensor<4xf32>
}

// -----

func.func @tasks_on_the_host(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{a parallel loop outside of a kernel}}
  %0 = scf.forall (%i) in (4) shared_outs(%o = %x) -> (tensor<4xf32>) {
    %1 = tensor.extract_slice %x[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %1 into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
    }
  }
  func.return %0 : tensor<4xf32>
}
