"""The names of the forms that a record's value can have in a topic."""

PLAIN = "plain"
"""A JSON object."""
SPRING_JSON_STRING = "spring-json-string"
"""A JSON string that holds the JSON object, with the header `__TypeId__: java.lang.String`. It is
what the JsonSerializer of spring-kafka makes of a String, and what its JsonDeserializer reads."""

WIRE_FORMS = (PLAIN, SPRING_JSON_STRING)
"""Every form. All of them are read in every topic; what is written is chosen by topic."""
