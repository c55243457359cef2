"""What members does: one function for each thing, with Protocols for what it needs."""
