"""Records of an order are found in the embedded log by time, without an index of keys."""

import pytest

from order_sagas.bridges.storage.order_records import records_around
from order_sagas.bridges.storage.queries import reading
from tests.support.embedded import BEGAN, EmbeddedSystem


@pytest.fixture
def system(tmp_path):
    """A system that does not run: a hundred records of each of two orders, one a minute."""
    system = EmbeddedSystem(tmp_path)
    for number in range(100):
        system.append(
            *(system.log.outgoing("t", key, b"%d" % number) for key in ("A", "B")),
            system.log.outgoing("t", "main", b'{"orderId":"A"}' if number % 2 else b"{}"),
        )
        system.clock.advance(60)
    yield system
    system.__exit__()


def found(system, *minutes, keys=("A",), **options):
    with reading(system.settings.database) as db:
        moments = [BEGAN + 60 * minute for minute in minutes]
        records = records_around(db, "A", keys, moments, **options)
    return [record.value.decode() for record in records.records], records.problem


def test_records_around_each_moment_are_found(system):
    """The oldest first, without those of others, and without those of other times."""
    assert (["0", "50", "99"], "") == found(system, 50, 0, 99)
    assert ([], "") == found(system, -5, 1000, 30.5)


def test_records_with_a_key_of_the_service_are_found_by_their_value(system):
    """Of a key that many orders share, those that name this one."""
    assert (["7", '{"orderId":"A"}', "8"], "") == found(system, 7, 8, keys=("A", "main"))


def test_the_search_is_bounded(system):
    """It begins with the newest, and reports that it stopped."""
    values, problem = found(system, *range(100), most=30)

    assert [str(number) for number in range(90, 100)] == values
    assert "only the newest 30 were searched" in problem


def test_an_empty_log_has_none(tmp_path):
    """There is nothing to search."""
    system = EmbeddedSystem(tmp_path)

    assert ([], "") == found(system, 0)
    system.__exit__()
