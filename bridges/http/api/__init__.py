"""The endpoints: their table, parameters, bodies, database queries and OpenAPI description."""
