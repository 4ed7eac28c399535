"""Panel columns, one kind of fact per file."""
