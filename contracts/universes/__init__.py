"""Universes, one declaration each: `declare(Universe(...))`; see contracts/universe.py."""
