"""LLVM IR writer, target strategies, object emission."""
