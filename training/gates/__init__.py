"""The gates: one file each. Light: numpy only."""
