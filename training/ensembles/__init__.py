"""The ensembles: one file each."""
