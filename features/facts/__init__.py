"""From the store to panels: what was known then, and what is known now."""
