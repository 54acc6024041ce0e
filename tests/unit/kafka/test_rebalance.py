"""What a reader makes of its partitions coming and going, without a broker."""

from types import SimpleNamespace

import pytest
from kafka.structs import TopicPartition
from structlog.testing import capture_logs

from order_sagas.bridges.kafka.backpressure import Outstanding
from order_sagas.bridges.kafka.rebalance import Shares
from tests.integration.kafka.owners import NotingOwner

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
        self.consumer, self.owner = Consumer(), NotingOwner({("orders", 1): 7})
        self.shares = Shares(self.consumer, self.owner, Outstanding(2), 1.0)
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


@pytest.mark.parametrize("go", [Shares.on_partitions_revoked, Shares.on_partitions_lost])
def test_the_owner_is_not_told_of_shards_that_it_never_had(assigned: Assigned, go) -> None:
    """They came and went before it was asked where to read them."""
    finish(go(assigned.shares, ALL))

    assert assigned.owner.told == []


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


@pytest.mark.parametrize(("earliest", "latest"), [(8, 20), (0, 6)])
def test_a_position_outside_of_its_topic_gives_way_to_the_earliest_record(
    assigned: Assigned, earliest: int, latest: int
) -> None:
    """Its records were removed, or the topic was made anew; the owner is told before it reads."""
    assigned.consumer.earliest, assigned.consumer.latest = earliest, latest
    with capture_logs() as lines:
        assigned.shares.settle()

    assert earliest == assigned.consumer.positions[TopicPartition("orders", 1)]
    assert {("orders", 1): earliest} == assigned.owner.offsets
    assert [("orders", 1, 7)] == [
        (line["topic"], line["partition"], line["position"])
        for line in lines
        if line["event"] == "kafka.position_outside_topic"
    ]
