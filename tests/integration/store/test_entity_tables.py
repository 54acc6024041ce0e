"""Tables of an app's entities are adapted to their classes, on SQLite and PostgreSQL."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from order_sagas.actors.entities import Entity
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import EntityTableError
from order_sagas.bridges.storage.schema import metadata, table_of
from order_sagas.bridges.storage.store import Store

TABLE = "fitted_seats"


class Seat(Entity):
    """The first version of the entity."""

    table: ClassVar[str] = TABLE
    order_id: str
    row: int = 0


class SeatWithMore(Entity):
    """With new fields of every kind, each with a default."""

    table: ClassVar[str] = TABLE
    order_id: str
    row: int = 0
    letter: str = "it's A"
    price: float = 1.5
    count: int = 7
    extras: tuple[str, ...] = ("water",)
    at_window: bool | None = None
    aisle: bool = False


class SeatWithRequired(Entity):
    """With a new field that has no default."""

    table: ClassVar[str] = TABLE
    order_id: str
    letter: str
    row: int = 0


class SeatOfText(Entity):
    """With another type of a field."""

    table: ClassVar[str] = TABLE
    order_id: str
    row: str = ""


class SeatRenamed(Entity):
    """With a field under a new name."""

    table: ClassVar[str] = TABLE
    order_id: str
    line: int = 0


class SeatOfFlight(Entity):
    """With another key."""

    table: ClassVar[str] = TABLE
    key: ClassVar[tuple[str, ...]] = ("flight",)
    flight: str = ""
    order_id: str = ""
    row: int = 0


class SeatPending(Entity):
    """With a new field that an index needs."""

    table: ClassVar[str] = TABLE
    pending: ClassVar[str] = "PENDING"
    order_id: str
    row: int = 0
    status: str = "FREE"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    """Remove the classes of the test: a process has one class for each table."""
    yield
    forget()


def forget() -> None:
    if TABLE in metadata.tables:
        metadata.remove(metadata.tables[TABLE])


def opened(database: str, entity: type[Entity]) -> Store:
    """Open the store of a program that has this class."""
    forget()
    table = table_of(entity)
    if TABLE not in metadata.tables:  # the class was removed
        metadata._add_table(TABLE, None, table)
    return Store(database, Registry(()), 4, entities=(entity,))


def filled(database: str) -> None:
    """A database with a row of the first class."""
    store = opened(database, Seat)
    with store.db.transaction() as cursor:
        cursor.execute("INSERT INTO order_keys (order_id, shard) VALUES ('o-1', 0)")
        cursor.execute(f"INSERT INTO {TABLE} (no, order_id, row) VALUES (1, 'o-1', 3)")
    store.close()


def seats(database: str, entity: type[Entity]) -> list[Any]:
    """Every seat, as a program with this class reads it."""
    store = opened(database, entity)
    try:
        return [*store.all_of(entity)]
    finally:
        store.close()


def test_a_new_field_with_a_default_becomes_a_column(database: str) -> None:
    """Old rows have the default; stored values are kept."""
    filled(database)

    for _ in range(2):
        assert [SeatWithMore(order_id="o-1", row=3)] == seats(database, SeatWithMore)


def test_a_former_program_can_continue_afterwards(database: str) -> None:
    """So that workers can be replaced one by one."""
    filled(database)
    seats(database, SeatWithMore)

    assert [Seat(order_id="o-1", row=3)] == seats(database, Seat)
    store = opened(database, Seat)
    with store.db.transaction() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (no, order_id, row) VALUES (2, 'o-2', 4)")
    store.close()
    assert SeatWithMore(order_id="o-2", row=4) in seats(database, SeatWithMore)


def test_a_column_that_an_index_needs_is_added_with_its_default(database: str) -> None:
    """Not as one that is NULL in old rows."""
    filled(database)

    assert [SeatPending(order_id="o-1", row=3)] == seats(database, SeatPending)


@pytest.mark.parametrize(
    ("entity", "problem"),
    [
        (SeatWithRequired, r"lacks the column 'letter': give the field a default, or migrate"),
        (SeatOfText, r"has 'row' as a whole number, and the field is a text"),
        (SeatOfFlight, r"lacks the column 'flight' of its key"),
    ],
)
def test_a_change_that_needs_a_decision_is_refused(
    database: str, entity: type[Entity], problem: str
) -> None:
    """At the start, before any record is handled; the table is not changed."""
    filled(database)
    with pytest.raises(
        EntityTableError, match=f"the table '{TABLE}' of {entity.__name__} {problem}"
    ):
        opened(database, entity)

    assert [Seat(order_id="o-1", row=3)] == seats(database, Seat)


def test_a_renamed_field_is_refused(database: str) -> None:
    """Rows could not be written without the old column."""
    filled(database)
    with pytest.raises(EntityTableError, match=r"has a column 'row' that the class lacks.*RENAME"):
        opened(database, SeatRenamed)


def test_two_programs_that_start_at_once_both_start(database: str) -> None:
    """One adds the columns, the other finds them."""
    filled(database)
    forget()
    metadata._add_table(TABLE, None, table_of(SeatWithMore))
    errors: list[BaseException] = []

    def start() -> None:
        try:
            Store(database, Registry(()), 4, entities=(SeatWithMore,)).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors
    assert [SeatWithMore(order_id="o-1", row=3)] == seats(database, SeatWithMore)
