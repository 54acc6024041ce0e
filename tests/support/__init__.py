"""Support for tests: servers, whole systems, and helpers."""
