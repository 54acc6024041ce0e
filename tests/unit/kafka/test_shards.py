"""Shards are shared out evenly, stay where they are, and move with all their topics."""

from functools import partial
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.assignor import ShardAssignor, assign_shards

MEMBERS = ["a", "b", "c", "d"]
TOPICS = ("orders", "payments", "stock")
OWNED = st.dictionaries(
    st.sampled_from([*MEMBERS, "gone"]), st.sets(st.integers(0, 30), max_size=20)
)


@given(members=st.sets(st.sampled_from(MEMBERS), min_size=1), count=st.integers(0, 24), owned=OWNED)
def test_every_shard_has_one_owner_and_no_member_has_two_more_than_another(
    members: set[str], count: int, owned: dict[str, set[int]]
) -> None:
    """Whatever the members claim, even shards that are not there or are claimed twice."""
    assigned = assign_shards(sorted(members), range(count), owned)

    assert set(assigned) == members
    assert sorted(shard for shards in assigned.values() for shard in shards) == list(range(count))
    sizes = [len(shards) for shards in assigned.values()]
    assert max(sizes) - min(sizes) <= 1


def test_nothing_moves_when_nothing_has_to() -> None:
    """A rebalance for another reason costs nobody a shard."""
    owned = {"a": {5, 1}, "b": {0, 4}, "c": {2, 3}}

    assert assign_shards(["a", "b", "c"], range(6), owned) == owned


def test_a_new_member_takes_only_its_share() -> None:
    """The others keep what is left of theirs: four of twelve shards move."""
    owned = {"a": set(range(6)), "b": set(range(6, 12))}
    assigned = assign_shards(["a", "b", "c"], range(12), owned)

    assert [len(assigned[member] & owned[member]) for member in "ab"] == [4, 4]


def test_what_a_gone_member_had_is_shared_out() -> None:
    """And nothing else moves."""
    owned = {"a": {0, 1}, "b": {2, 3}, "gone": {4, 5}}
    assigned = assign_shards(["a", "b"], range(6), owned)

    assert assigned["a"] > {0, 1}
    assert assigned["b"] > {2, 3}


@given(owned=OWNED, count=st.integers(1, 24))
def test_the_group_settles_with_all_topics_of_a_shard_together(
    owned: dict[str, set[int]], count: int
) -> None:
    """Round after round as the protocol has it: give up what is not assigned, and join again."""
    has = {member: owned.get(member, set()) & set(range(count)) for member in MEMBERS}
    for _ in range(3):
        before = has
        has = next_round(has, count)
        for member in MEMBERS:
            gained = has[member] - before[member]
            assert not any(gained & before[other] for other in MEMBERS if other != member)
    settled = next_round(has, count)

    assert settled == has
    assert sorted(shard for shards in has.values() for shard in shards) == list(range(count))


def next_round(has: dict[str, set[int]], count: int) -> dict[str, set[int]]:
    """What each member has after one more round of the whole protocol."""
    members = []
    for member, shards in has.items():
        owned = [TopicPartition(topic, shard) for topic in TOPICS for shard in shards]
        metadata = ShardAssignor(partial(list, owned)).metadata(TOPICS)
        members.append(SimpleNamespace(member_id=member, metadata=metadata))
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: set(range(count)))
    assignments = ShardAssignor(lambda: ()).assign(cluster, members)
    result = {}
    for member, assignment in assignments.items():
        partitions = set(assignment.partitions())
        shards = {tp.partition for tp in partitions}
        assert partitions == {TopicPartition(t, s) for t in TOPICS for s in shards}
        result[member] = shards
    return result
