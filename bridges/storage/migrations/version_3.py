"""Version 3: indexes for the queries of commands and the HTTP API, which scanned all orders."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

_SUBMITTED = (
    "FROM order_keys k WHERE (k.fingerprint IS NOT NULL OR EXISTS "
    "(SELECT 1 FROM reservations r WHERE r.no = k.no AND r.status = 'HELD')) "
    "AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.no = k.no) "
    "AND NOT EXISTS (SELECT 1 FROM pruned p WHERE p.no = k.no)"
)

_SKIPPED = "status = 'CANCELLED' AND state LIKE '%\"note\":\"skip by %'"

VERSION_3 = Migration(
    3,
    "Orders, sagas and goods are found by their status without reading all of them.",
    (
        Sql("CREATE INDEX orders_by_status ON orders (status, no)"),
        Sql("CREATE INDEX sagas_by_status ON sagas (status, no)"),
        Sql("ALTER TABLE sagas ADD COLUMN skipped INTEGER DEFAULT 0 NOT NULL"),
        Sql(
            f"UPDATE sagas SET skipped = 1 WHERE {_SKIPPED}",
            rows=f"SELECT count(*) FROM sagas WHERE {_SKIPPED}",
        ),
        Sql("CREATE INDEX sagas_skipped ON sagas (no) WHERE skipped = 1"),
        Sql("CREATE INDEX stock_by_sku ON stock (sku)"),
        Sql("CREATE INDEX outbox_submitted ON outbox (shard, id) WHERE consumer = '#submitted'"),
        Sql("CREATE TABLE submitted (no {integer} NOT NULL, PRIMARY KEY (no))"),
        Sql(
            f"INSERT INTO submitted (no) SELECT k.no {_SUBMITTED}",
            rows=f"SELECT count(*) {_SUBMITTED}",
        ),
        Sql(
            "INSERT INTO meta (name, value) SELECT 'stored_up_to', "
            "CAST(coalesce(max(no), 0) AS TEXT) FROM order_keys"
        ),
        # A prefix is a range of the index in the order of bytes, not in that of a language.
        Sql(
            'ALTER TABLE order_keys ALTER COLUMN order_id TYPE text COLLATE "C"',
            only="postgresql",
        ),
    ),
)
