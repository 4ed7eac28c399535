"""What every feature and label must keep, and the page that says so."""
