"""All texts that are there: read by many workers, asked for those that are alike."""
