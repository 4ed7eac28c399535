"""What may become facts, what is refused, what is missing."""
