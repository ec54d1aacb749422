"""Factorizations and triangular solves written as StableHLO: blocked loops whose work is in `dot_general`."""
