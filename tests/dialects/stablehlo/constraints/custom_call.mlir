// expect: ok
func.func @f(%x: tensor<f32>) {
  %r = "stablehlo.custom_call"(%x) <{call_target_name = "foo", has_side_effect = false, backend_config = {bar = 42 : i32}, api_version = 4 : i32}> : (tensor<f32>) -> tensor<f32>
  func.return
}
