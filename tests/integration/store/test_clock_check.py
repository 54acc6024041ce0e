"""The clock of a real PostgreSQL server compared with the one of this machine."""

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from order_sagas.bridges.storage.clock_check import clock_difference, warn_of_clock
from order_sagas.bridges.storage.connection import Connection, connect
from tests.support.logged import captured_logs


@pytest.fixture
def db(postgres_url: str) -> Iterator[Connection]:
    """A connection to a server on this machine, whose clock is the same."""
    found = connect(sa.make_url(postgres_url).render_as_string(hide_password=False))
    yield found
    found.close()


@pytest.mark.postgres
@pytest.mark.parametrize(("ahead", "database"), [(3600.0, "behind"), (-3600.0, "ahead")])
def test_a_clock_that_differs_is_logged_with_the_difference(
    db: Connection, ahead: float, database: str
) -> None:
    """In either direction."""
    with captured_logs() as lines:
        warn_of_clock(db, lambda: time.time() + ahead)
    (line,) = lines

    assert ("clock.differs", database) == (line["event"], line["database"])
    assert 3590 < line["seconds"] < 3610


@pytest.mark.postgres
def test_an_accurate_clock_is_not_logged(db: Connection) -> None:
    """The duration of the query does not count as a difference."""
    with captured_logs() as lines:
        warn_of_clock(db)

    assert [] == lines


def test_sqlite_has_the_clock_of_this_machine() -> None:
    """No query is made."""
    db = connect("sqlite://")

    assert 0.0 == clock_difference(db, lambda: 0.0)
    db.close()
