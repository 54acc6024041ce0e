"""Rounds of deliveries: the receivers of messages, and the handling of acknowledgements."""

import pytest
from thespian.actors import ActorAddress

from order_sagas.actors.messages import PaymentCompleted, ProcessPayment
from order_sagas.actors.protocol import Ack, Delivery, Nack, Output
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.dispatch import TRIES, Dispatcher
from tests.support.processor_parts import (
    COORDINATOR,
    ORDERS,
    PARTITIONS,
    PAYMENTS,
    ProcessorParts,
    a_saga,
    an_order,
)


@pytest.fixture
def done() -> list[Batch]:
    return []


@pytest.fixture
def dispatcher(parts: ProcessorParts, done: list[Batch]) -> Dispatcher:
    parts.ownership.epochs.update(dict.fromkeys(range(PARTITIONS), 1))
    return parts.dispatcher(done.append)


def deliveries(parts: ProcessorParts) -> list[tuple[ActorAddress, Delivery]]:
    return [(target, each) for target, each in parts.sent if isinstance(each, Delivery)]


def test_each_receiver_gets_a_ticket_of_its_own(
    parts: ProcessorParts, dispatcher: Dispatcher
) -> None:
    batch = Batch(7)
    items = [
        parts.item(an_order("o-1")),
        parts.item(ProcessPayment(order_id="o-1"), "payment-events"),
    ]

    dispatcher.deliver(batch, items, first=True)

    sent = deliveries(parts)
    assert all(each in [target for target, _ in sent] for each in (COORDINATOR, ORDERS, PAYMENTS))
    assert [(7, 0), (7, 1), (7, 2)] == [(each.batch, each.ticket) for _, each in sent]
    assert 3 == batch.waiting


def test_the_batch_is_done_when_nothing_is_to_be_delivered(
    dispatcher: Dispatcher, done: list[Batch]
) -> None:
    batch = Batch(1)

    dispatcher.deliver(batch, [])

    assert [batch] == done


def test_a_reply_is_delivered_directly_to_the_actor_of_its_saga(
    parts: ProcessorParts, dispatcher: Dispatcher
) -> None:
    saga, actor = a_saga("o-1"), ActorAddress("saga")
    parts.ownership.in_flight[saga.saga_id] = actor
    reply = PaymentCompleted(order_id="o-1", saga_id=saga.saga_id)

    dispatcher.deliver(Batch(1), [parts.item(reply, "payment-events")])

    assert actor in [target for target, _ in deliveries(parts)]


def test_outputs_that_the_batch_handles_are_the_next_round(
    parts: ProcessorParts, dispatcher: Dispatcher, done: list[Batch]
) -> None:
    parts.log.handles_outputs = True
    batch = Batch(1)
    command = ProcessPayment(order_id="o-1")
    batch.absorb(Ack(1, 0, (Output("payment-events", "o-1", command),)))

    dispatcher.round_over(batch)

    assert [(PAYMENTS, command)] == [(target, each.message) for target, each in deliveries(parts)]
    assert [] == done
    dispatcher.round_over(batch)
    assert [batch] == done


def test_outputs_for_another_batch_are_emitted_only(
    parts: ProcessorParts, dispatcher: Dispatcher, done: list[Batch]
) -> None:
    batch = Batch(1)
    batch.absorb(Ack(1, 0, (Output("payment-events", "o-1", ProcessPayment(order_id="o-1")),)))

    dispatcher.round_over(batch)

    assert ["payment-events"] == [each.topic for each in parts.log.emitted]
    assert [] == deliveries(parts)
    assert [batch] == done


def test_a_failed_delivery_is_retried_and_then_a_dead_letter(
    parts: ProcessorParts, dispatcher: Dispatcher, done: list[Batch]
) -> None:
    batch = Batch(1)
    command = ProcessPayment(order_id="o-1")
    dispatcher.deliver(batch, [parts.item(command, "payment-events")])

    for _ in range(TRIES):
        assert [] == done
        dispatcher.not_handled(batch, Nack(1, 0, "Traceback\nValueError: no"))

    assert [command] * TRIES == [each.message for _, each in deliveries(parts)]
    assert ["dead-letters"] == [each.topic for each in parts.log.emitted]
    assert (1, 1) == (parts.counts.dead_letters, batch.dead_letters)
    assert [batch] == done


def test_a_delivery_with_a_poison_message_is_not_retried(
    parts: ProcessorParts, dispatcher: Dispatcher, done: list[Batch]
) -> None:
    batch = Batch(1)
    dispatcher.deliver(batch, [parts.item(ProcessPayment(order_id="o-1"), "payment-events")])
    ((_, delivery),) = deliveries(parts)

    dispatcher.failed(batch, delivery, "the actor failed")

    assert ["dead-letters"] == [each.topic for each in parts.log.emitted]
    assert [batch] == done
