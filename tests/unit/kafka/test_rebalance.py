"""What a reader makes of its partitions coming and going, without a broker."""

from types import SimpleNamespace

import pytest
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.backpressure import Outstanding
from order_sagas.bridges.kafka.consumer_listener import HELD, Extent
from order_sagas.bridges.kafka.rebalance import Shares
from tests.integration.kafka.owners import RecordingOwner

ALL = {TopicPartition(topic, shard) for topic in ("orders", "stock") for shard in (0, 1)}


class Consumer:
    """The part of a consumer that has partitions, positions and a name in its group."""

    def __init__(self) -> None:
        self.member = "one"
        self.earliest, self.latest = 0, 100
        self.positions: dict[TopicPartition, int | str] = {}
        self.paused: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return set(ALL)

    def group_metadata(self) -> SimpleNamespace:
        return SimpleNamespace(member_id=self.member)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    def seek_to_beginning(self, tp: TopicPartition) -> None:
        self.positions[tp] = "beginning"

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.earliest)

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.latest)

    def pause(self, tp: TopicPartition) -> None:
        self.paused.add(tp)

    def resume(self, tp: TopicPartition) -> None:
        self.paused.discard(tp)


class Assigned:
    """Shares to which all partitions were just assigned."""

    def __init__(self) -> None:
        self.consumer, self.owner = Consumer(), RecordingOwner({("orders", 1): 7})
        self.now, self.topic_id = 0.0, "first id"
        self.shares = Shares(
            self.consumer, self.owner, Outstanding(2), 1.0,
            monotonic=lambda: self.now, topic_id=lambda topic: self.topic_id,
        )  # fmt: skip
        finish(self.shares.on_partitions_assigned(ALL))


@pytest.fixture
def assigned() -> Assigned:
    """All partitions, before the owner was asked."""
    return Assigned()


def finish(coroutine) -> None:
    """Run a coroutine that has nothing to wait for."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_nothing_is_read_before_the_owner_has_said_where(assigned: Assigned) -> None:
    """Then all is, from there or from the beginning."""
    assert assigned.consumer.paused == ALL
    assigned.shares.settle()

    assert assigned.consumer.paused == set()
    assert assigned.consumer.positions == {
        **dict.fromkeys(ALL, "beginning"),
        TopicPartition("orders", 1): 7,
    }


def test_a_shard_whose_topic_comes_back_alone_is_read_again_as_a_whole(assigned: Assigned) -> None:
    """The owner has lost the shard with the topic; its other topics were read on meanwhile."""
    back = TopicPartition("stock", 1)
    shard = {tp for tp in ALL if tp.partition == 1}
    assigned.shares.settle()
    finish(assigned.shares.on_partitions_assigned([back]))

    assert shard == assigned.consumer.paused
    assigned.shares.settle()
    assert set() == assigned.consumer.paused
    assert 7 == assigned.consumer.positions[TopicPartition("orders", 1)]


@pytest.mark.parametrize("go", [Shares.on_partitions_revoked, Shares.on_partitions_lost])
def test_the_owner_is_not_told_of_shards_that_it_never_had(assigned: Assigned, go) -> None:
    """They came and went before it was asked where to read them."""
    finish(go(assigned.shares, ALL))

    assert assigned.owner.events == []


def test_a_member_that_was_taken_for_new_begins_again(assigned: Assigned) -> None:
    """The client kept its partitions, but another may have had them meanwhile."""
    assigned.shares.settle()
    assert not assigned.shares.was_away()
    assigned.consumer.member = "two"

    assert assigned.shares.was_away()
    assert assigned.owner.wait_for("lost") == {0, 1}
    assert assigned.consumer.paused == ALL
    assigned.shares.settle()
    assert assigned.owner.count("assigned") == 2
    assert not assigned.shares.was_away()


def test_a_member_that_knows_that_it_was_away_is_not_told_twice(assigned: Assigned) -> None:
    """What is lost in order is not lost again under the new name."""
    assigned.shares.settle()
    assigned.shares.was_away()
    finish(assigned.shares.on_partitions_lost(ALL))
    assigned.consumer.member = "two"

    assert not assigned.shares.was_away()
    assert assigned.owner.count("lost") == 1


def test_the_owner_is_told_what_partitions_hold_before_it_is_asked(assigned: Assigned) -> None:
    """With the ids of their topics, so that it can compare what it has stored."""
    assigned.consumer.earliest = 8
    assigned.shares.settle()

    assert (
        dict.fromkeys({(tp.topic, tp.partition) for tp in ALL}, Extent(8, 100, "first id"))
        == assigned.owner.extents
    )


def test_what_the_owner_holds_is_not_read_until_it_is_asked_again(assigned: Assigned) -> None:
    """Some seconds later: an operator may have decided meanwhile."""
    assigned.owner.offsets["orders", 1] = HELD
    assigned.shares.settle()
    held = {TopicPartition("orders", 1)}
    assert held == assigned.shares.held == assigned.consumer.paused

    assigned.shares.ask_again()
    assert set() == assigned.shares.unready
    assigned.now += 11
    assigned.shares.ask_again()
    assert held == assigned.shares.unready
    assigned.owner.offsets["orders", 1] = 5
    assigned.shares.settle()

    assert set() == assigned.shares.held == assigned.consumer.paused
    assert 5 == assigned.consumer.positions[TopicPartition("orders", 1)]


def test_a_topic_that_is_created_again_is_asked_for_again(assigned: Assigned) -> None:
    """As if it were newly assigned, with all that belongs to the same shards."""
    assigned.shares.settle()
    assert not assigned.shares.topics_replaced()
    assigned.topic_id = ""  # metadata without the topic, while it is gone
    assert not assigned.shares.topics_replaced()
    assigned.topic_id = "second id"

    assert assigned.shares.topics_replaced()
    assert ALL == assigned.shares.unready == assigned.consumer.paused
    assigned.shares.settle()
    assert not assigned.shares.topics_replaced()
    assert {"second id"} == {extent.topic_id for extent in assigned.owner.extents.values()}
