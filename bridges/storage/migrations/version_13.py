"""Version 13: searches for orders and sagas have an index each."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_13 = Migration(
    13,
    "Orders have an index of amounts; sagas have indexes of versions, ends and failures.",
    (
        Sql("CREATE INDEX orders_by_amount ON orders (amount)"),
        Sql("CREATE INDEX sagas_by_version ON sagas (version, no)"),
        Sql("CREATE INDEX sagas_by_end ON sagas (ended_at, no) WHERE ended_at IS NOT NULL"),
        Sql("CREATE INDEX sagas_by_code ON sagas (code, no) WHERE code != ''"),
        Sql("CREATE INDEX sagas_failed ON sagas (no, reason) WHERE code != ''"),
    ),
)
