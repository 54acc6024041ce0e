"""Records: fields, JSON encoding, partition of a key, receivers of a message, dead letters."""
