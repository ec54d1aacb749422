// RUN: stepwell-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(winograd-convolution)'

// expected-error @+1 {{has stepwell.winograd = 3 : i64: there are no such tiles}}
module attributes {stepwell.winograd = 3 : i64} {
}

// -----

// expected-error @+1 {{has stepwell.winograd = "often": there are no such tiles}}
module attributes {stepwell.winograd = "often"} {
}
