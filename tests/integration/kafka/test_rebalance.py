"""Workers come and go, and every shard has one owner with all its topics."""

import threading
from collections.abc import Iterable

import pytest

from order_sagas.bridges.kafka import TopicWriter
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import PARTITIONS, StartReader
from tests.integration.kafka.owners import RecordingOwner

pytestmark = pytest.mark.kafka


def wait_for_shares(owners: Iterable[RecordingOwner], *sizes: int) -> None:
    """Wait until the owners have this number of shards each, without overlap."""
    owners = list(owners)
    for owner, size in zip(owners, sizes, strict=True):
        owner.wait_for_shards(size)
    assert sorted(s for owner in owners for s in owner.shards) == list(range(PARTITIONS))


def publish_everywhere(writer: TopicWriter, topics: list[str], number: int) -> None:
    """One record to each partition of each topic."""
    records = [
        Outgoing(topic, partition, b"k", b"%d" % number)
        for topic in topics
        for partition in range(PARTITIONS)
    ]
    writer.publish(records).wait(20)


def test_a_worker_that_owns_a_shard_reads_it_in_every_topic(
    writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """With three workers that joined one after the other, so that shards have moved."""
    offsets: dict[tuple[str, int], int] = {}
    owners = [RecordingOwner(offsets) for _ in range(3)]
    for count, owner in enumerate(owners, start=1):
        start_reader(owner)
        wait_for_shares(owners[:count], *[PARTITIONS // count] * count)
    publish_everywhere(writer, topics, 1)
    for owner in owners:
        owner.wait_for_records(2 * len(topics))

    for owner in owners:
        assert {(r.topic, r.partition) for r in owner.records} == {
            (topic, shard) for topic in topics for shard in owner.shards
        }


def test_only_the_shards_that_move_are_revoked(start_reader: StartReader) -> None:
    """The first worker keeps half of its shards, and gets no calls about those."""
    first, second = RecordingOwner(), RecordingOwner()
    start_reader(first)
    wait_for_shares([first], PARTITIONS)
    start_reader(second)
    wait_for_shares([first, second], 3, 3)

    assert [(event, len(shards)) for event, shards in first.events] == [
        ("connected", 0),
        ("assigned", PARTITIONS),
        ("revoked", 3),
    ]
    assert first.wait_for("revoked") == second.shards


def test_a_shard_moves_only_when_its_owner_has_finished_with_it(
    writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """The batch in flight is committed first; the new owner continues after it."""
    offsets: dict[tuple[str, int], int] = {}
    first, second = RecordingOwner(offsets), RecordingOwner(offsets)
    first.holds_batches = first.holds_shards = True
    start_reader(first)
    wait_for_shares([first], PARTITIONS)
    publish_everywhere(writer, topics[:1], 1)
    first.wait_for_records(PARTITIONS)
    start_reader(second, release_timeout=60)
    revoked = first.wait_for("revoked")
    never = threading.Event()
    assert not never.wait(1)
    assert second.shards == set()
    first.shards |= revoked  # the former owner still commits for them
    for batch in list(first.batches):
        first.settle(batch)
    assert not never.wait(0.5)
    assert second.shards == set()
    first.shards -= revoked
    first.holds_batches = first.holds_shards = False
    first.reader.released(revoked)
    wait_for_shares([first, second], 3, 3)
    publish_everywhere(writer, topics[:1], 2)
    second.wait_for_records(3)

    assert set(second.values()) == {(topics[0], shard) for shard in revoked}
    assert all(values == [b"2"] for values in second.values().values())


def test_an_owner_that_does_not_finish_loses_the_shard(start_reader: StartReader) -> None:
    """The group waits only for a limited time."""
    first, second = RecordingOwner(), RecordingOwner()
    first.holds_shards = True
    start_reader(first, release_timeout=0.5)
    wait_for_shares([first], PARTITIONS)
    start_reader(second)
    wait_for_shares([first, second], 3, 3)

    first.holds_shards = False
    assert first.wait_for("lost") == first.wait_for("revoked") == second.shards


def test_a_worker_that_stops_hands_its_shards_over_at_once(
    writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """The other worker continues where it ended; nothing is read twice."""
    offsets: dict[tuple[str, int], int] = {}
    first, second = RecordingOwner(offsets), RecordingOwner(offsets)
    reader = start_reader(first)
    wait_for_shares([first], PARTITIONS)
    publish_everywhere(writer, topics, 1)
    first.wait_for_records(PARTITIONS * len(topics))
    start_reader(second)
    wait_for_shares([first, second], 3, 3)
    reader.stop()
    wait_for_shares([second], PARTITIONS)
    publish_everywhere(writer, topics, 2)
    second.wait_for_records(PARTITIONS * len(topics))

    assert first.shards == set()
    assert {tuple(values) for values in second.values().values()} == {(b"2",)}
