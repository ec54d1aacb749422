"""Producers of step 1."""
