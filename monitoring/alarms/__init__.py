"""Alarm families, one file each; a new one is found, calibrated, recorded and told by itself."""
