"""What the system costs: commands that measure it and print a table."""
