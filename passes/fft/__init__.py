"""What `expand-fft` is made of: tables of roots of unity, and transforms along one axis."""
