"""What a run does: one verb per file."""
