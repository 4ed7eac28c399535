"""Rows to learn from, and how they are split in time."""
