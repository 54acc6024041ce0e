"""TODO: intake."""
