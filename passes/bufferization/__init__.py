"""Tensors to buffers: who reads what when (`reads`), where a value lives (`homes`), and the rewrite (`engine`)."""
