"""What tests need around them: a broker, a database server."""
