"""Sentiment of texts: encoder, head, checkpoints and labelled sentences."""
