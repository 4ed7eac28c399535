"""Views, those of one kind of bar or purpose in a file."""
