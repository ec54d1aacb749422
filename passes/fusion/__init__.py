"""What fusion is made of: classifying generics, deciding what is computed where, rebuilding bodies, merging siblings."""
