"""Encoders of feature rows: few numbers for many, learnt up to a moment and kept."""
