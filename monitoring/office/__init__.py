"""Who is in office, kept of one mind."""
