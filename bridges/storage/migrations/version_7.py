"""Version 7: an order knows the token with which it was submitted."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_7 = Migration(
    7,
    "Orders are stored with the name of the token that submitted them.",
    (Sql("ALTER TABLE order_keys ADD COLUMN submitter TEXT"),),
)
