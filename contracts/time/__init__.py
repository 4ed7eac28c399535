"""Sessions of exchanges, and what was announced about them."""
