"""Writing to the logs: the embedded one, a table, and Kafka's topics by way of an outbox."""
