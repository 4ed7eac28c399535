"""Clients of providers on the web: they ask patiently and classify what goes wrong."""
