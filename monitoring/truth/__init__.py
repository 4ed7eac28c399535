"""Forecasts beside what became of them."""
