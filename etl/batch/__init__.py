"""A batch on its way: its raw parts, its staging tables, and their end."""
