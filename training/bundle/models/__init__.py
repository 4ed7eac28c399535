"""The kinds of models that bundles hold: one file each. Light: a library only when asked for."""
