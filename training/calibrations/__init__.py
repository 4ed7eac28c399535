"""The calibrations: one file each."""
