"""The adapters to the outside: records, logs, Kafka, the database, operations, HTTP."""
