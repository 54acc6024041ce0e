"""TODO: processor."""
