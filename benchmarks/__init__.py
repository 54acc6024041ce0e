"""Benchmarks: commands that measure the system and print a table."""
