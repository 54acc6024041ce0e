"""Version 8: the ids of Kafka's topics, which distinguish topics of the same name."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_8 = Migration(
    8,
    "The ids of Kafka's topics are stored with the offsets.",
    (
        Sql(
            "CREATE TABLE topic_ids (topic TEXT NOT NULL, id TEXT NOT NULL, "
            "noted_at {float} NOT NULL, PRIMARY KEY (topic))"
        ),
    ),
)
