"""Records are read from where the owner says, and no faster than the owner handles them."""

import threading

import pytest
from kafka import KafkaAdminClient

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter
from order_sagas.bridges.records.record import Outgoing
from tests.integration.kafka.conftest import PARTITIONS, StartReader
from tests.integration.kafka.owners import RecordingOwner

pytestmark = pytest.mark.kafka


def numbers(topic: str, count: int, start: int = 0) -> list[Outgoing]:
    """Records with their number as value, distributed over all partitions."""
    return [Outgoing(topic, n % PARTITIONS, b"k", b"%d" % n) for n in range(start, start + count)]


@pytest.mark.parametrize("whole_batches", [True, False])
def test_reading_begins_where_the_owner_says(
    writer: TopicWriter, topics: list[str], start_reader: StartReader, whole_batches: bool
) -> None:
    """Without a position of the owner, at the earliest record. Kafka's own offsets are not used."""
    sent = [Outgoing(topic, 0, b"k", b"%d" % n) for n in range(10) for topic in topics[:2]]
    writer.publish(sent).wait(20)
    owner = RecordingOwner({(topics[0], 0): 7})
    start_reader(owner, whole_batches=whole_batches)
    owner.wait_for_records(13)

    assert owner.values() == {
        (topics[0], 0): [b"7", b"8", b"9"],
        (topics[1], 0): [b"%d" % n for n in range(10)],
    }
    assert [record.offset for record in owner.records if record.topic == topics[0]] == [7, 8, 9]


def test_no_more_is_handed_over_than_the_owner_has_room_for(
    writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """Two batches of at most ten. The reader stays a member during the wait, and then gets the
    rest."""
    writer.publish(numbers(topics[0], 100)).wait(20)
    owner = RecordingOwner()
    owner.holds_batches = True
    reader = start_reader(owner, max_batch=10, max_outstanding=2, max_poll_interval=3.0)
    owner.wait_until(lambda owner: len(owner.batches) == 2)
    third = threading.Event()
    # Longer than the session and the poll interval, after which a member that does not poll is
    # removed.
    assert not third.wait(4)
    assert len(owner.batches) == 2
    assert max(len(batch.records) for batch in owner.batches) <= 10
    owner.holds_batches = False
    for batch in list(owner.batches):
        owner.settle(batch)
    owner.wait_for_records(100)
    reader.stop()

    assert sorted(int(record.value or b"") for record in owner.records) == list(range(100))
    assert [event for event, _ in owner.events if event != "connected"] == ["assigned", "revoked"]


def test_the_owner_is_asked_again_until_it_knows_where_to_read(
    writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """Its database may be down when shards are assigned."""
    writer.publish(numbers(topics[0], 10)).wait(20)
    owner = RecordingOwner()
    owner.refuses_to_say_where = 2
    start_reader(owner)
    owner.wait_for_records(10)

    assert owner.refuses_to_say_where == 0


def test_a_shard_is_read_again_when_the_owner_rewinds(
    writer: TopicWriter, topics: list[str], start_reader: StartReader
) -> None:
    """As after a batch that was rolled back; the other shards continue."""
    writer.publish(numbers(topics[0], 12)).wait(20)
    owner = RecordingOwner()
    reader = start_reader(owner)
    owner.wait_for_records(12)
    owner.offsets[topics[0], 2] = 1
    reader.rewind(frozenset({2}))
    owner.wait_for_records(13)
    writer.publish(numbers(topics[0], 6, start=12)).wait(20)
    owner.wait_for_records(19)

    assert owner.values()[topics[0], 2] == [b"2", b"8", b"8", b"14"]
    assert owner.values()[topics[0], 3] == [b"3", b"9", b"15"]


def test_kafkas_own_tools_show_the_lag(
    connection: KafkaConnection,
    writer: TopicWriter,
    topics: list[str],
    start_reader: StartReader,
    unique: str,
) -> None:
    """Reported offsets are those of the group; they are never read back."""
    writer.publish(numbers(topics[0], 12)).wait(20)
    owner = RecordingOwner()
    reader = start_reader(owner)
    owner.wait_for_records(12)
    reader.report({(topics[0], 1): 2})
    admin = KafkaAdminClient(**connection.client_settings())
    reported: dict[tuple[str, int], int] = {}

    def is_reported() -> bool:
        groups = admin.list_group_offsets({unique: None})
        reported.update({tuple(tp): o.offset for tp, o in groups[unique].items()})
        return bool(reported)

    while not is_reported():
        assert not threading.Event().wait(0.05)
    admin.close()

    assert reported == {(topics[0], 1): 2}
