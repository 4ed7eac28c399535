"""Labels, one kind per file."""
