"""Channels by which notifications leave the system."""
