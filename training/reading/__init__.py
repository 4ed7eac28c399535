"""Networks that read texts: how they are made, and how they learn."""
