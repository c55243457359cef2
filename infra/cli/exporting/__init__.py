"""Writing what the platform keeps to files."""
