"""Version 13: searches for orders and sagas have an index each."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

_BY_CODE, _FAILED = "CREATE INDEX sagas_by_code ON sagas", "CREATE INDEX sagas_failed ON sagas"
_IS_FAILED = "WHERE code != ''"

VERSION_13 = Migration(
    13,
    "Orders have an index of amounts; sagas have indexes of versions, ends and failures.",
    (
        Sql("CREATE INDEX orders_by_amount ON orders (amount)"),
        Sql("CREATE INDEX sagas_by_version ON sagas (version, no)"),
        Sql("CREATE INDEX sagas_by_end ON sagas (ended_at, no) WHERE ended_at IS NOT NULL"),
        # An index of PostgreSQL has the beginnings of texts, as `schema.Indexed` says.
        Sql(f"{_BY_CODE} (code, no) {_IS_FAILED}", only="sqlite"),
        Sql(f"{_BY_CODE} (substr(code, 1, 200), no) {_IS_FAILED}", only="postgresql"),
        Sql(f"{_FAILED} (no, reason) {_IS_FAILED}", only="sqlite"),
        Sql(f"{_FAILED} (no, substr(reason, 1, 200)) {_IS_FAILED}", only="postgresql"),
    ),
)
