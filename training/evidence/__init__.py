"""Judging forecasts: pure, neither store nor MLflow."""
