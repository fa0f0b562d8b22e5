"""What people and CI run: set-up, start, stop, join, test, check."""
