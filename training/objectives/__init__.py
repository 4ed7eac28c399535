"""The objectives: one file each. Light: numpy only."""
