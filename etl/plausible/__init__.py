"""Rows held against what is beside them, and against what was stored before."""
