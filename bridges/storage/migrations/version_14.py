"""Version 14: searches for the orders of a SKU have an index, of blocks of numbers of orders."""

import re
from zlib import crc32

from order_sagas.bridges.storage.migrations.migration import Migration, Rewrite, Sql, Target

BLOCK = 2500
"""Numbers of orders in a block."""
CHUNK = 1000
"""Maximum number of orders in memory."""

_SKU = re.compile(r'"sku":("(?:[^"\\]|\\.)*")')
_COLUMNS = "block {integer} NOT NULL, keyword {integer} NOT NULL, shard INTEGER NOT NULL"
_TABLE = f"CREATE TABLE order_keywords ({_COLUMNS}, PRIMARY KEY (block, keyword, shard))"


def _index_skus(target: Target) -> None:
    mark = target.placeholder
    insert = f"INSERT INTO order_keywords (block, keyword, shard) VALUES ({mark}, {mark}, 0)"
    last, current, known = -1, -1, set[int]()
    while True:
        orders = target.ask(
            f"SELECT no, lines FROM orders WHERE no > {last} ORDER BY no LIMIT {CHUNK}"
        )
        if not orders:
            return
        new: list[tuple[int, int]] = []
        for no, lines in orders:
            last, block = no, no // BLOCK
            if block != current:
                current, known = block, set()
            found = {crc32(sku.encode()) for sku in _SKU.findall(lines)} - known
            known |= found
            new += [(block, keyword) for keyword in found]
        target.cursor.executemany(insert, new)


VERSION_14 = Migration(
    14,
    "Orders have an index of the SKUs in their lines.",
    (
        Sql(f"{_TABLE} WITHOUT ROWID", only="sqlite"),
        Sql(_TABLE, only="postgresql"),
        Rewrite(
            "Enter the SKUs of stored orders into order_keywords.",
            "SELECT count(*) FROM orders WHERE lines <> '[]'",
            _index_skus,
        ),
        Sql("CREATE INDEX order_keywords_by_keyword ON order_keywords (keyword, block)"),
    ),
)
