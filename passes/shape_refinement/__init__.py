"""What `refine-shapes` is made of: which arguments sizes are computed from, arithmetic on sizes, calls, the walk."""
