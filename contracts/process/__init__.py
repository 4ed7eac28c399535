"""The process itself: how it hears signals, and which Java it may start."""
