"""The database: its schema and migrations, what is stored in a batch, and queries for reading."""
