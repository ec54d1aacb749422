// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{kernel.func: C2: access "both" is not "read", "write" or "readwrite"}}
kernel.func @k(%x: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["both"]} {
  kernel.return %x : tensor<8xf32>
}

// -----

// expected-error @+1 {{kernel.func: C2: a "read" argument follows a destination}}
kernel.func @k(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["write", "read"]} {
  kernel.return %x : tensor<8xf32>
}

// -----

// expected-error @+1 {{kernel.func: C2: 1 access kinds and 0 scratch for 2 arguments}}
kernel.func @k(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["write"]} {
  kernel.return %x : tensor<8xf32>
}

// -----

// expected-error @+1 {{kernel.func: C3: results (tensor<4xf32>) are not (tensor<8xf32>)}}
kernel.func @k(%x: tensor<4xf32>, %y: tensor<8xf32>) -> tensor<4xf32> attributes {access = ["read", "write"]} {
  kernel.return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{kernel.func: C4: scratch arguments need memref form}}
kernel.func @k(%x: tensor<8xf32>, %y: tensor<8xi8>) -> tensor<8xf32> attributes {access = ["write"], scratch_bytes = 8 : i64} {
  kernel.return %x : tensor<8xf32>
}

// -----

kernel.func @k(%x: tensor<4xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["read", "write"]} {
  // expected-error @+1 {{kernel.return: C1: (tensor<4xf32>) is not (tensor<8xf32>)}}
  kernel.return %x : tensor<4xf32>
}

// -----

func.func @main(%d: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{kernel.launch: C1: @main is not a kernel.func of this module}}
  %r = kernel.launch @main outs(%d : tensor<8xf32>) -> tensor<8xf32>
  func.return %r : tensor<8xf32>
}

// -----

kernel.func @k(%x: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["write"]} {
  kernel.return %x : tensor<8xf32>
}
func.func @main(%d: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{kernel.launch: C2: outs (tensor<4xf32>) is not (tensor<8xf32>) of @k}}
  %r = kernel.launch @k outs(%d : tensor<4xf32>) -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}

// -----

kernel.func @k(%x: tensor<8xf32>) -> tensor<8xf32> attributes {access = ["write"]} {
  kernel.return %x : tensor<8xf32>
}
func.func @main(%d: tensor<8xf32>) {
  // expected-error @+1 {{kernel.launch: C3: results () differ from those of @k, (tensor<8xf32>)}}
  kernel.launch @k outs(%d : tensor<8xf32>)
  func.return
}

// -----

func.func @f() {
  // expected-error @+1 {{expected `launch`, `worker`, `block`, or `subgroup`}}
  %0 = tensor.empty() {scratch = #kernel.scratch<warp>} : tensor<8xf32>
  func.return
}

// -----

func.func @f() {
  scf.forall (%i) in (4) {
  // expected-error @+1 {{expected `block`, `subgroup`, or `thread`}}
  } {mapping = [#kernel.level<warp>]}
  func.return
}

// -----

func.func @f(%x: tensor<8x8xf32>, %i: index) {
  // expected-error @+1 {{kernel.prefetch: C1: 1 indices for tensor<8x8xf32>}}
  kernel.prefetch %x[%i] {part = vector<4xf32>} : tensor<8x8xf32>
  func.return
}

// -----

func.func @f(%x: tensor<8xf32>, %i: index) {
  // expected-error @+1 {{kernel.prefetch: C1: vector<2x4xf32> has more dims than tensor<8xf32>}}
  kernel.prefetch %x[%i] {part = vector<2x4xf32>} : tensor<8xf32>
  func.return
}

// -----

func.func @f(%a: vector<2x1xi32>, %b: vector<1x8xi32>, %c: vector<3x8xi32>) {
  // expected-error @+1 {{kernel.dot: C1: vector<2x1xi32>, vector<1x8xi32>, vector<3x8xi32> are not rows x 1, 1 x columns and rows x columns of i32}}
  %0 = kernel.dot %a, %b, %c {lhs_factor = ui8, rhs_factor = si8} : vector<2x1xi32>, vector<1x8xi32>, vector<3x8xi32>
  func.return
}

// -----

func.func @f(%a: vector<2x1xi32>, %b: vector<1x8xi64>, %c: vector<2x8xi32>) {
  // expected-error @+1 {{kernel.dot: C1: vector<2x1xi32>, vector<1x8xi64>, vector<2x8xi32> are not}}
  %0 = kernel.dot %a, %b, %c {lhs_factor = ui8, rhs_factor = si8} : vector<2x1xi32>, vector<1x8xi64>, vector<2x8xi32>
  func.return
}

// -----

func.func @f(%a: vector<2x1xi32>, %b: vector<1x8xi32>, %c: vector<2x8xi32>) {
  // expected-error @+1 {{kernel.dot: C2: ui8 and si16 are not two of si8, ui8, si16, ui16, equally wide}}
  %0 = kernel.dot %a, %b, %c {lhs_factor = ui8, rhs_factor = si16} : vector<2x1xi32>, vector<1x8xi32>, vector<2x8xi32>
  func.return
}

// -----

func.func @f(%a: vector<2x1xi32>, %b: vector<1x8xi32>, %c: vector<2x8xi32>) {
  // expected-error @+1 {{kernel.dot: C2: i8 and i8 are not two of si8, ui8, si16, ui16, equally wide}}
  %0 = kernel.dot %a, %b, %c {lhs_factor = i8, rhs_factor = i8} : vector<2x1xi32>, vector<1x8xi32>, vector<2x8xi32>
  func.return
}
