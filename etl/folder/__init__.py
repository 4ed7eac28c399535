"""Readers of the folder layout that docs/files_layout.md describes."""
