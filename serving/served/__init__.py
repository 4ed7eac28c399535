"""What the predictor serves, and how it stays the newest."""
