"""What becomes of records that Kafka does not take, whatever fails on the way."""

import gc
from functools import partial
from itertools import count, pairwise
from pathlib import Path

import pytest

from order_sagas.actors.messages import LoadStock, OrderLine
from order_sagas.actors.sagas import minutes
from order_sagas.bridges.kafka.errors import (
    KafkaClientError,
    NotAcknowledgedError,
    RecordTooLargeError,
)
from order_sagas.bridges.processor.outbox_publisher import OutboxPublisher
from order_sagas.bridges.records.record import Outgoing, Record
from tests.support.embedded import Crash, an_order
from tests.support.virtual_kafka import DEAD_LETTERS, VirtualBroker, VirtualKafkaSystem

MANY = tuple(OrderLine(sku=f"SKU-{n}", quantity=1, unit_price=1) for n in range(50))
LIMIT = 2000
"""Bytes that stock-events takes here; a reservation of MANY has more."""


def too_large(record: Outgoing) -> KafkaClientError | None:
    """The answer of a broker whose topic stock-events takes small records only."""
    if record.topic == "stock-events" and len(record.value or b"") > LIMIT:
        return RecordTooLargeError("larger than the topic takes")
    return None


def fails_at(broker: VirtualBroker, attempt: int, record: Outgoing) -> KafkaClientError | None:
    """The same of a broker that is away for one publication."""
    if len(broker.attempts) == attempt:
        return NotAcknowledgedError("the broker is away")
    return too_large(record)


def letters(system: VirtualKafkaSystem) -> list[Record]:
    return system.broker.of(DEAD_LETTERS)


def test_a_record_that_is_too_large_becomes_a_dead_letter_whole(tmp_path: Path) -> None:
    """With where it was for and why; its saga goes on without it, and nothing is left over."""
    with VirtualKafkaSystem(tmp_path) as system:
        system.broker.answer = too_large
        system.put(an_order("small"), an_order("large", lines=MANY))
        system.advance(10.0)
        (letter, *_) = letters(system)
        system.advance(minutes(30))

        assert b'"RESERVE_STOCK"' in (letter.value or b"")
        assert len(letter.value or b"") > LIMIT
        assert b"main" == letter.key
        assert b"stock-events" == dict(letter.headers)["dead-letter-topic"]
        assert b"larger than" in dict(letter.headers)["dead-letter-error"]
        assert "CANCELLED" == system.status("large")
        assert [] == system.outbox()


def test_nothing_is_lost_whichever_publication_fails(tmp_path: Path) -> None:
    """That of the record before it, of the dead letter, or of anything after it."""
    for failing in count():
        directory = tmp_path / str(failing)
        directory.mkdir()
        with VirtualKafkaSystem(directory) as system:
            broker = system.broker

            broker.answer = partial(fails_at, broker, failing + 1)
            system.put(an_order("large", lines=MANY))
            system.advance(minutes(30))

            assert [] == system.outbox()
            assert "CANCELLED" == system.status("large")
            assert any(b'"RESERVE_STOCK"' in (letter.value or b"") for letter in letters(system))
        if failing >= len(broker.attempts):
            break
    assert failing > 5


@pytest.mark.parametrize("point", ["before commit", "after commit", "after publish"])
def test_nothing_is_lost_whenever_the_worker_is_killed(tmp_path: Path, point: str) -> None:
    """Before and after each commit, and each time something was given to Kafka."""
    for fatal in count(1):
        directory = tmp_path / str(fatal)
        directory.mkdir()
        reached = 0

        def watch(where: str, fatal: int = fatal) -> None:
            nonlocal reached
            reached += where == point
            if where == point and reached == fatal:
                raise Crash

        with VirtualKafkaSystem(directory, watch=watch) as system:
            system.broker.answer = too_large
            try:
                system.put(an_order("large", lines=MANY))
                system.advance(minutes(30))
            except Crash:
                system.restart()
                system.advance(minutes(60))

            assert [] == system.outbox()
            assert "CANCELLED" == system.status("large")
            assert any(b'"RESERVE_STOCK"' in (letter.value or b"") for letter in letters(system))
        if reached < fatal:
            break
    assert fatal > 5


def test_no_record_counts_as_published_that_was_not_acknowledged(tmp_path: Path) -> None:
    """While the broker takes no dead letter, it stays in the database; then it is published."""
    with VirtualKafkaSystem(tmp_path) as system:

        def no_letters(record: Outgoing) -> KafkaClientError | None:
            if record.topic == DEAD_LETTERS:
                return NotAcknowledgedError("the broker is away")
            return too_large(record)

        system.broker.answer = no_letters
        system.put(an_order("large", lines=MANY))
        system.advance(60.0)
        kept = [row for row in system.outbox() if row.topic == DEAD_LETTERS]
        system.broker.answer = too_large
        system.advance(minutes(30))

        assert kept
        assert {row.value for row in kept} <= {letter.value for letter in letters(system)}
        assert [] == system.outbox()


def test_a_dead_letter_that_is_too_large_itself_stays_in_the_database(tmp_path: Path) -> None:
    """Whole, logged, and not in memory too.

    It is published once its topic takes it and the worker starts again.
    """
    with VirtualKafkaSystem(tmp_path) as system:

        def nothing_large(record: Outgoing) -> KafkaClientError | None:
            if len(record.value or b"") > LIMIT:
                return RecordTooLargeError("larger than the topic takes")
            return None

        system.broker.answer = nothing_large
        system.put(an_order("too-large-as-a-letter", lines=MANY))
        system.advance(minutes(30))
        publishers = [each for each in gc.get_objects() if isinstance(each, OutboxPublisher)]
        kept, attempts = system.outbox(), len(system.broker.attempts)
        system.advance(minutes(30))

        in_memory = [row for each in publishers for row in each._unpublished.values()]
        assert not [row for row in in_memory if b"too-large-as-a-letter" in (row.value or b"")]
        assert {DEAD_LETTERS} == {row.topic for row in kept}
        assert all(len(row.value or b"") > LIMIT for row in kept)
        assert kept == system.outbox()
        assert attempts == len(system.broker.attempts)
        assert any(b"dead_letter.too_large" in line for line in system.logged.lines)
        assert system.running
        system.restart()
        assert kept == system.outbox()

        system.broker.answer = too_large
        system.restart()
        system.advance(60.0)

        assert sorted(row.value or b"" for row in kept) == sorted(
            letter.value or b"" for letter in letters(system)
        )
        assert [] == system.outbox()


def test_a_broker_that_is_away_is_asked_less_and_less_often(tmp_path: Path) -> None:
    """However many publications have failed: there is one timer for all of them."""
    with VirtualKafkaSystem(tmp_path) as system:
        times: list[float] = []

        def away(record: Outgoing) -> KafkaClientError:
            times.append(system.clock.now())
            return NotAcknowledgedError("the broker is away")

        system.broker.answer = away
        system.put(LoadStock(order_id="d", lines=(OrderLine(sku="PEN", quantity=100),)))
        for number in range(30):
            system.put(an_order(f"o-{number}"))
            system.advance(0.1)
        assert system.base
        timers = len(system.base.timers())
        times.clear()
        system.advance(25.0)  # no step has timed out by then, so nothing new is published
        pauses = [later - earlier for earlier, later in pairwise(sorted(set(times)))]

        assert 5 <= len(pauses) <= 10
        assert all(3.0 < pause <= 5.0 for pause in pauses)
        assert len(system.base.timers()) <= timers
        system.broker.answer = lambda record: None
        system.advance(minutes(10))

        assert ["COMPLETED"] * 30 == [system.status(f"o-{number}") for number in range(30)]
        assert [] == system.outbox()
