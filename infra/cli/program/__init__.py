"""`huitou program`: a chain's program kept as a file, over the public graph."""
