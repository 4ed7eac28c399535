"""Ways in which an encoder learns, one file each."""
