"""Scheduling strategies (`loops`, `rows`, `contraction`) composed of shared primitives.

`emit` builds loops and index arithmetic, `nest` describes one structured op's accesses, `lanes` evaluates bodies on scalars
or vectors, `phases` makes parallel phases; each strategy is one file on top of these.
"""
