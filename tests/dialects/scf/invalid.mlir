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

// -----

func.func @f() {
  // expected-error @+1 {{scf.forall: C4: the mapping ["x"] is not one #kernel.level}}
  scf.forall (%i) in (4) {
  } {mapping = ["x"]}
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{scf.forall: C4: the mapping [#kernel.level<block>, #kernel.level<block>] is not one #kernel.level}}
  scf.forall (%i, %j) in (4, 4) {
  } {mapping = [#kernel.level<block>, #kernel.level<block>]}
  func.return
}

// -----

func.func @f(%n: index) {
  scf.forall (%b) in (%n) {
    scf.for %i = %n to %n step %n {
      // expected-error @+1 {{scf.forall: C5: a task of a block cannot be part of a task of a block}}
      scf.forall (%w) in (4) {
      } {mapping = [#kernel.level<block>]}
    }
  } {mapping = [#kernel.level<block>]}
  func.return
}

// -----

func.func @f() {
  scf.forall (%b) in (4) {
    // expected-error @+1 {{scf.forall: C5: a task of a subgroup cannot be part of a task of a thread}}
    scf.forall (%w) in (4) {
    } {mapping = [#kernel.level<subgroup>]}
  } {mapping = [#kernel.level<thread>]}
  func.return
}

// -----

func.func @f(%n: index) {
  scf.forall (%b) in (4) {
    // expected-error @+1 {{scf.forall: C5: the subgroups of a block are not a static number}}
    scf.forall (%w) in (%n) {
    } {mapping = [#kernel.level<subgroup>]}
  } {mapping = [#kernel.level<block>]}
  func.return
}
