"""Channels that deliver notifications to customers."""
