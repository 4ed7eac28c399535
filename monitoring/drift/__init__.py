"""Drift tests, one file each; a new file is found, tested and exported by itself."""
