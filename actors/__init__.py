"""The business: messages, sagas, services."""
