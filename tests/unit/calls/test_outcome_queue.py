"""Outcomes are queued in order, returned by a rollback, and kept for their shards."""

from order_sagas.actors.messages import CallOutcome
from order_sagas.bridges.processor.outcome_queue import Outcome, OutcomeQueue


def outcome(order_id: str) -> Outcome:
    """The outcome of a charge."""
    return Outcome(CallOutcome(order_id=order_id), ("payments", "charge", order_id))


def reminder(order_id: str) -> Outcome:
    """A reminder, which follows from a stored entity."""
    return Outcome(CallOutcome(order_id=order_id))


def a_queue(*outcomes: Outcome, **settings: int) -> OutcomeQueue:
    """A queue with these items."""
    queue = OutcomeQueue(**settings)
    for each in outcomes:
        queue.put(each)
    return queue


def drained(queue: OutcomeQueue) -> list[str]:
    """The order ids of all waiting items, in order."""
    return [queue.pop().message.order_id for _ in range(len(queue))]


def test_first_in_first_out() -> None:
    queue = a_queue(outcome("a"), reminder("b"), outcome("c"))

    assert 3 == len(queue)
    assert ["a", "b", "c"] == drained(queue)
    assert not queue


def test_items_of_a_rolled_back_batch_come_first_again() -> None:
    """Without reminders, which are made again from stored entities."""
    queue = a_queue(outcome("a"), reminder("b"), outcome("c"), outcome("d"))
    taken = [queue.pop() for _ in range(3)]
    queue.give_back(taken)

    assert ["a", "c", "d"] == drained(queue)


def test_reminders_are_dropped_and_outcomes_are_not() -> None:
    queue = a_queue(reminder("a"), outcome("b"), reminder("c"), outcome("d"))
    queue.defer(reminder("e"))
    queue.defer(outcome("f"))
    queue.drop_reminders()
    queue.resume()

    assert ["f", "b", "d"] == drained(queue)


def test_deferred_outcomes_come_before_newer_ones() -> None:
    queue = a_queue(outcome("a"), outcome("b"), outcome("c"))
    for _ in range(2):
        queue.defer(queue.pop())

    assert 1 == len(queue)

    queue.resume()
    queue.resume()

    assert ["a", "b", "c"] == drained(queue)


def test_outcomes_wait_for_their_shards() -> None:
    queue = a_queue(outcome("a"), reminder("b"), outcome("c"))
    for _ in range(3):
        assert queue.set_aside(queue.pop()) is None
    queue.put(outcome("d"))

    assert 1 == len(queue)

    queue.bring_back()

    assert ["a", "c", "d"] == drained(queue)


def test_outcomes_for_shards_that_never_return_are_dropped() -> None:
    """The oldest first, so that memory is bounded."""
    queue = a_queue(most_aside=2)
    given_up = [queue.set_aside(outcome(order_id)) for order_id in "abcd"]

    assert [None, None, outcome("a"), outcome("b")] == given_up

    queue.bring_back()

    assert ["c", "d"] == drained(queue)
