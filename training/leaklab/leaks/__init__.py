"""Planted leaks, by where they come from; discovery finds them."""
