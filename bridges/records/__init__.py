"""Records: their fields, their JSON, the shard of a key, the receivers of a message."""
