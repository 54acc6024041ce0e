"""Version 6: the shapes of saga definitions, replies that came too early, and schedules."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_6 = Migration(
    6,
    "Shapes of saga definitions, replies that came too early, and schedules are stored.",
    (
        Sql(
            "CREATE TABLE saga_versions (saga TEXT NOT NULL, version INTEGER NOT NULL, "
            "fingerprint TEXT NOT NULL, shape TEXT NOT NULL, PRIMARY KEY (saga, version))"
        ),
        Sql(
            "CREATE TABLE early_replies (id TEXT NOT NULL, consumer TEXT NOT NULL, "
            "shard INTEGER NOT NULL, order_id TEXT NOT NULL, topic TEXT NOT NULL, "
            "partition INTEGER NOT NULL, position {integer} NOT NULL, key {bytes}, value {bytes}, "
            "headers {bytes}, at {float} NOT NULL, PRIMARY KEY (id))"
        ),
        Sql(
            "CREATE TABLE schedules (name TEXT NOT NULL, due {float} NOT NULL, "
            "order_id TEXT NOT NULL, started_at {float}, PRIMARY KEY (name))"
        ),
    ),
)
