"""The table names that entities of an app cannot have."""

OWN = frozenset(
    {
        "audits", "early_replies", "history", "idempotency_keys", "log", "meta", "offsets",
        "operator_actions", "order_keys", "order_keywords", "outages", "outbox", "outbox_events",
        "parked", "pauses", "pruned", "pruned_goods", "saga_starts", "saga_versions", "sagas",
        "schedules", "submitted", "topic_ids",
    }
)  # fmt: skip
"""The tables of the system itself; a test compares them with the schema."""
WORDS = frozenset(
    {
        "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "both", "case", "cast",
        "check", "collate", "column", "constraint", "create", "default", "delete", "desc",
        "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign", "from",
        "grant", "group", "having", "in", "index", "initially", "insert", "intersect", "into",
        "join", "lateral", "leading", "limit", "not", "null", "offset", "on", "only", "or", "order",
        "placing", "primary", "references", "returning", "select", "set", "some", "table", "then",
        "to", "trailing", "transaction", "true", "union", "unique", "update", "user", "using",
        "values", "variadic", "when", "where", "window", "with",
    }
)  # fmt: skip
"""Words that SQL of SQLite or PostgreSQL reserves, so that a table would have to be quoted."""
RESERVED = OWN | WORDS
