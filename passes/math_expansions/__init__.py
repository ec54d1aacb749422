"""What `expand-math` writes for each math op: polynomials and exact steps in `arith`, per concept one file."""
