// expect: ok
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type FLOAT>}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C1
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xi32>) {
  %r = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type FLOAT>}> : (tensor<2x3xf32>, tensor<2x3xi32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %r = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type FLOAT>}> : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C2
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type FLOAT>}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x4xi1>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type SIGNED>}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  %r = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type UNSIGNED>}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: ok
func.func @f(%a: tensor<2x3xi32>) {
  %r = "stablehlo.compare"(%a, %a) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type SIGNED>}> : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xi32>) {
  %r = "stablehlo.compare"(%a, %a) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi1>
  func.return
}

// -----

// expect: C3
func.func @f(%a: tensor<2x3xi32>) {
  %r = "stablehlo.compare"(%a, %a) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type UNSIGNED>}> : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi1>
  func.return
}
