"""The leak lab: what guards must catch, planted and run."""
