"""Our dialects, and what upstream's lack."""
