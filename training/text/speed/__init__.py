"""What makes reading fast: 8 bits, and many workers."""
