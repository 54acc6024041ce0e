"""The outside world: topics and wire format, the logs, the store."""
