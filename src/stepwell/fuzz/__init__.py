"""Random well-typed programs, native code against the reference interpreter: `stepwell fuzz` (docs/validation.md)."""
