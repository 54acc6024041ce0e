"""Bulk inserts give the same table as single ones."""

import sqlite3

import pytest

from order_sagas.bridges.storage import bulk_insert as many_rows
from order_sagas.bridges.storage.bulk_insert import insert

AT_ONCE = many_rows.AT_ONCE[0]


@pytest.fixture
def cursor():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE goods (no INTEGER PRIMARY KEY, sku TEXT UNIQUE, pieces INT)")
    yield connection.cursor()
    connection.close()


SQL = (
    "INSERT INTO goods (sku, pieces) VALUES (?, ?) "
    "ON CONFLICT (sku) DO UPDATE SET pieces = excluded.pieces"
)


def rows(cursor):
    return cursor.execute("SELECT sku, pieces FROM goods ORDER BY no").fetchall()


@pytest.mark.parametrize(
    "count", [0, 1, 2, 7, 8, 11, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE, 3 * AT_ONCE + 5]
)
def test_all_rows_are_there_in_their_order(cursor, count):
    """With any division into statements."""
    wanted = [(f"SKU-{i}", i) for i in range(count)]

    insert(cursor, SQL, wanted)

    assert rows(cursor) == wanted


def test_the_last_of_two_rows_of_one_key_counts(cursor):
    """Within one statement, and across two."""
    insert(cursor, SQL, [("one", i) for i in range(AT_ONCE)] + [("two", 1)] * 3 + [("one", 99)])

    assert rows(cursor) == [("one", 99), ("two", 1)]


def test_a_row_that_is_refused_is_an_error(cursor):
    """None of its statement is written; the transaction is the caller's to roll back."""
    bare = "INSERT INTO goods (sku, pieces) VALUES (?, ?)"

    with pytest.raises(sqlite3.IntegrityError, match=r"goods\.sku"):
        insert(cursor, bare, [("one", i) for i in range(AT_ONCE)])

    assert rows(cursor) == []
