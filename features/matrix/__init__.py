"""Panels to Parquet: features as they are kept, labels beside them."""
