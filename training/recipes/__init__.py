"""The recipes, those of one objective in a file."""
