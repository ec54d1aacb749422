"""What CHLO's larger ops become, a file an idea; `convert-chlo-to-stablehlo` has the table."""
