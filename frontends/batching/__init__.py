"""Batching: the ops of one example become ops of many. One rule an op family; `table.RULES` has them all."""
