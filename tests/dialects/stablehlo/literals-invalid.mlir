// RUN: stepwell-opt %s --split-input-file --verify-diagnostics

func.func @packed() {
  // expected-error @+1 {{a byte of an i1 is neither 00, 01 nor FF}}
  %0 = stablehlo.constant dense<"0x05"> : tensor<3xi1>
  return
}

// -----

func.func @short() {
  // expected-error @+1 {{tensor<3xi4> needs 3 bytes of data, but 2 are given}}
  %0 = stablehlo.constant dense<"0x0102"> : tensor<3xi4>
  return
}

// -----

func.func @elided() {
  // expected-error @+1 {{there is no data for resource '__elided__'}}
  %0 = stablehlo.constant dense_resource<__elided__> : tensor<2xf32>
  return
}

// -----

func.func @too_long() {
  // expected-error @+1 {{tensor<1xf32> needs 4 bytes of data, but 8 are given}}
  %0 = stablehlo.constant dense_resource<weights> : tensor<1xf32>
  return
}
{-#
  dialect_resources: { builtin: { weights: "0x040000000000803F00000040" } }
#-}

// -----

func.func @no_hexadecimal() {
  // expected-error @+1 {{the data of resource 'weights' is not a hexadecimal string that starts with 0x}}
  %0 = stablehlo.constant dense_resource<weights> : tensor<1xf32>
  return
}
{-#
  dialect_resources: { builtin: { weights: "040000000000803F" } }
#-}

// -----

// A name like one of ours is more likely a mistake than another dialect.

// expected-error @+1 {{unknown attribute '#stablehol.gather'}}
func.func @misspelt(%x: tensor<8xf32> {a = #stablehol.gather<index_vector_dim = 1>}) {
  return
}
