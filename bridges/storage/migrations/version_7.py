"""Version 7: orders are stored with the name of the token that submitted them."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_7 = Migration(
    7,
    "Orders are stored with the name of the token that submitted them.",
    (Sql("ALTER TABLE order_keys ADD COLUMN submitter TEXT"),),
)
