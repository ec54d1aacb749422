"""The rules of `convert-stablehlo-to-linalg`, one file per concept; `lowering.py` is what they share."""
