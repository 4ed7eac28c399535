"""What comes from outside as text becomes values, or is said not to be one."""
