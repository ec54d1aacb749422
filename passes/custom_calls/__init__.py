"""Expansions of custom calls, one file a family."""
