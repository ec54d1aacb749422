"""`stepwell.explain`: what a program becomes, kernel by kernel, and why; read off the IR."""
