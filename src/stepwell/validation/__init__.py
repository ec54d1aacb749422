"""What `stepwell.validate` is built on: calling functions at any step, and judging whether two results may differ."""
