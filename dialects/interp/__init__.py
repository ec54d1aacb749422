"""Interpreter rules (NumPy), one file per dialect."""
