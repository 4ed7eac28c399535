"""Numbers over a panel: its columns, and the primitives that run over them."""
