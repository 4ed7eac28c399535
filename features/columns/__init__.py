"""The features: one function each, found by discovery."""
