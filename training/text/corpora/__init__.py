"""Labelled sets of texts, one module each kind; nothing of theirs is redistributed."""
