"""Version 4: outages are stored, so that after a restart deadlines are still extended by them."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_4 = Migration(
    4,
    "Outages of Kafka and of the database are remembered through restarts.",
    (
        Sql(
            "CREATE TABLE outages (id TEXT NOT NULL, what TEXT NOT NULL, since {float} NOT NULL, "
            "until {float}, PRIMARY KEY (id))"
        ),
    ),
)
