"""The topics that every app has, beside those of its participants."""

OPERATORS = "operator-commands"
"""Operators' commands to sagas. Only those who may operate need the right to write it."""
SIGNALS = "saga-signals"
"""Messages from people or other systems that a saga waits for."""
LOCKS = "saga-locks"
"""Commands and replies about the locks of exclusive sagas; only apps that have such sagas use it.
"""
DEAD_LETTERS = "dead-letters"
"""Records that could not be handled."""
EVERY_APP = (OPERATORS, SIGNALS, DEAD_LETTERS)
