"""The endpoints, a file per theme."""
