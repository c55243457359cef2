"""`huitou config`: what a chain is like, as a file that can be made true in another."""
