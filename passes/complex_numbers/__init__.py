"""Arithmetic and functions of complex numbers, said by real StableHLO ops on their parts (for `split-complex`)."""
