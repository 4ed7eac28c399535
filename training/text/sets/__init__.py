"""Labelled sets of texts: what one is, and who learnt from which."""
