"""What all rooms share: diagnostics, locations, dtypes, interfaces, pass and interpreter bases."""
