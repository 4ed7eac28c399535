"""Targets, those of one question in a file."""
