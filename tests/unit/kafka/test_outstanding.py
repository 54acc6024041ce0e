"""Back-pressure, and waiting for shards to be released."""

from order_sagas.bridges.kafka.backpressure import Outstanding
from order_sagas.bridges.kafka.consumer_listener import Batch


def batch_of(*shards: int) -> Batch:
    """A batch with records of these shards."""
    return Batch([], frozenset(shards))


def test_there_is_room_until_the_limit_and_again_when_one_is_done() -> None:
    """A batch that is done twice makes room once."""
    outstanding = Outstanding(limit=2)
    first, second = batch_of(0), batch_of(1)
    outstanding.add(first)
    assert outstanding.wait_for_room(0)
    outstanding.add(second)
    assert not outstanding.wait_for_room(0)
    outstanding.done(first)
    outstanding.done(first)
    assert outstanding.wait_for_room(0)
    outstanding.add(batch_of(2))
    assert not outstanding.wait_for_room(0)


def test_a_shard_is_released_when_the_owner_says_so_and_has_no_batch_of_it() -> None:
    """Either alone is not enough."""
    outstanding = Outstanding(limit=2)
    batch = batch_of(1, 2)
    outstanding.add(batch)
    outstanding.ask(frozenset({1}))

    outstanding.released(frozenset({1}))
    assert not outstanding.is_released(frozenset({1}))
    outstanding.done(batch)
    assert outstanding.is_released(frozenset({1}))
    outstanding.ask(frozenset({1}))
    assert not outstanding.is_released(frozenset({1}))


def test_lost_shards_hold_nothing_up() -> None:
    """Their batches count no more, but those that hold others' records do."""
    outstanding = Outstanding(limit=1)
    outstanding.add(batch_of(1))
    outstanding.add(batch_of(1, 2))

    outstanding.forget(frozenset({1}))
    assert not outstanding.wait_for_room(0)
    outstanding.forget(frozenset({1, 2}))
    assert outstanding.wait_for_room(0)
