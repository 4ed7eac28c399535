"""One training run: what it may see, what it leaves, how it is tracked."""
