"""Version 9: the starts of sagas by a command or over HTTP are stored."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_9 = Migration(
    9,
    "Sagas that are started by a command or over HTTP are started once.",
    (
        Sql(
            "CREATE TABLE saga_starts (saga TEXT NOT NULL, order_id TEXT NOT NULL, "
            "fingerprint {bytes} NOT NULL, PRIMARY KEY (saga, order_id))"
        ),
    ),
)
