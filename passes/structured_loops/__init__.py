"""Loops for the ops of the structured dialect: `emit` builds loop nests, `sort` and `scatter` the algorithms."""
