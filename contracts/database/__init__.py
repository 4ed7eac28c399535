"""The ways to the database: connections, reads, copies and merges."""
