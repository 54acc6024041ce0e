"""Intake of orders and stock: validation, recognition of duplicates, writing to a log."""
