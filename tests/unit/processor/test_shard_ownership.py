"""Which shards are owned, and which sagas are in flight on them."""

from thespian.actors import ActorAddress

from order_sagas.actors.messages import PaymentCompleted
from order_sagas.actors.protocol import NO_BATCH, Ack, EvictSagas, Restore, timer_ticket
from tests.support.processor_parts import (
    COORDINATOR,
    PARTITIONS,
    ProcessorParts,
    a_saga,
    an_order,
    shard_of,
)

EVERY = dict.fromkeys(range(PARTITIONS), 1)
ORDERS = [f"o-{n}" for n in range(8)]


def test_sagas_of_gained_shards_are_restored(parts: ProcessorParts) -> None:
    sagas = parts.store_sagas(*ORDERS)
    gained = shard_of("o-0")

    parts.ownership.restore({gained: 1})

    here = {saga.saga_id for saga in sagas if shard_of(saga.order_id) == gained}
    assert 0 < len(here) < len(sagas)
    assert here == parts.ownership.in_flight.keys()
    restored = [message for target, message in parts.sent if target == COORDINATOR]
    assert [here] == [
        {saga.saga_id for saga in message.progresses}
        for message in restored
        if isinstance(message, Restore)
    ]


def test_sagas_of_lost_shards_are_evicted_and_no_others(parts: ProcessorParts) -> None:
    parts.store_sagas(*ORDERS)
    parts.ownership.restore(EVERY)
    lost = shard_of("o-0")

    parts.ownership.evict(frozenset([lost]))

    assert lost not in parts.ownership.epochs
    gone = {a_saga(each).saga_id for each in ORDERS if shard_of(each) == lost}
    assert {a_saga(each).saga_id for each in ORDERS} - gone == parts.ownership.in_flight.keys()
    target, message = parts.sent[-1]
    assert target == COORDINATOR
    assert isinstance(message, EvictSagas)
    assert gone == {*(message.saga_ids or ())}


def test_all_shards_are_evicted_at_once(parts: ProcessorParts) -> None:
    parts.store_sagas(*ORDERS)
    parts.ownership.restore(EVERY)

    parts.ownership.evict_all()

    assert ({}, {}) == (parts.ownership.epochs, parts.ownership.in_flight)


def test_a_timer_of_an_actor_that_was_released_is_not_current(parts: ProcessorParts) -> None:
    """Each restore has a number, and a timer has the number of its actor."""
    (saga,) = parts.store_sagas("o-1")
    parts.ownership.restore(EVERY)
    parts.ownership.restore(EVERY)
    actor = ActorAddress("saga")

    def fired(epoch: int) -> bool:
        ack = Ack(NO_BATCH, timer_ticket(epoch), (), (saga,))
        return parts.ownership.is_current(ack, actor)

    assert [False, True] == [fired(1), fired(2)]
    parts.ownership.in_flight[saga.saga_id] = actor
    assert fired(1)


def test_a_message_is_for_a_saga_in_flight_if_its_order_has_one(parts: ProcessorParts) -> None:
    saga = a_saga("o-1")
    parts.ownership.in_flight[saga.saga_id] = 1

    assert parts.ownership.is_in_flight(an_order("o-1"))
    assert not parts.ownership.is_in_flight(an_order("o-2"))
    assert parts.ownership.is_in_flight(PaymentCompleted(order_id="o-1", saga_id=saga.saga_id))


def test_the_key_of_another_workers_shard_is_returned(parts: ProcessorParts) -> None:
    parts.ownership.epochs.update({shard_of("o-0"): 1})
    other = next(each for each in ORDERS if shard_of(each) != shard_of("o-0"))

    assert parts.ownership.key_elsewhere(parts.item(an_order("o-0"))) is None
    assert other.encode() == parts.ownership.key_elsewhere(parts.item(an_order(other)))
