"""Messages of paused services are deferred, and delivered in their order afterwards."""

import pytest

from order_sagas.actors.messages import ProcessPayment
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.deferral import Deferral
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.deferred import INTAKE
from tests.support.processor_parts import PARTITIONS, ProcessorParts, an_order

EVERY = dict.fromkeys(range(PARTITIONS), 1)


class Paused:
    """A deferral of the pauses that are set here."""

    def __init__(self, parts: ProcessorParts) -> None:
        self.parts = parts
        self.changed = 0
        self.deferral: Deferral = parts.deferral(self._note)
        parts.ownership.epochs.update(parts.store.claim(["log"], [*range(PARTITIONS)]).epochs)

    def _note(self) -> None:
        self.changed += 1

    def pause(self, name: str) -> None:
        self._run("INSERT INTO pauses (name, by, why, since) VALUES (?, 'ada', 'x', 1)", name)

    def unpause(self, name: str) -> None:
        self._run("UPDATE pauses SET until = 2, ended_by = 'ada', ended_why = '' WHERE name = ?",
                  name)  # fmt: skip

    def _run(self, sql: str, name: str) -> None:
        with self.parts.store.db.transaction() as db:
            db.execute(sql, (name,))
        self.deferral.look()

    def store(self, batch: Batch) -> None:
        self.parts.store.commit(
            Changes(
                deferred=batch.deferred,
                redelivered=batch.redelivered,
                epochs=self.parts.ownership.epochs,
            ),
            2.0,
        )


@pytest.fixture
def paused(parts: ProcessorParts) -> Paused:
    return Paused(parts)


def test_messages_for_a_paused_service_are_deferred(paused: Paused) -> None:
    payment = paused.parts.item(ProcessPayment(order_id="o-1"), "payment-events")
    order = paused.parts.item(an_order("o-1"))
    batch = Batch(1)
    paused.pause("payments")

    assert [order] == paused.deferral.defer(batch, [payment, order])
    assert [("payments", "o-1")] == [(each.receiver, each.order_id) for each in batch.deferred]


def test_deferred_messages_are_delivered_first(paused: Paused) -> None:
    """The pause has ended, but older messages are still in the database."""
    first = paused.parts.item(ProcessPayment(order_id="o-1"), "payment-events")
    later = paused.parts.item(ProcessPayment(order_id="o-2"), "payment-events")
    paused.pause("payments")
    batch = Batch(1)
    paused.deferral.defer(batch, [first])
    paused.store(batch)
    paused.unpause("payments")

    assert [] == paused.deferral.defer(Batch(2), [later])
    batch = Batch(3)
    (taken,) = paused.deferral.take(batch, 10)
    paused.store(batch)
    assert "o-1" == taken.message.order_id
    assert paused.deferral.look_due
    assert paused.deferral.ending
    paused.deferral.look()
    assert [later] == paused.deferral.defer(Batch(4), [later])


def test_a_paused_intake_defers_orders_that_begin(paused: Paused) -> None:
    order = paused.parts.item(an_order("o-1"))
    payment = paused.parts.item(ProcessPayment(order_id="o-2"), "payment-events")
    paused.pause(INTAKE)

    assert [payment] == paused.deferral.defer(Batch(1), [order, payment])
    assert {INTAKE} == paused.deferral.pending


def test_deferred_messages_of_gained_shards_are_found(paused: Paused) -> None:
    paused.pause("payments")
    batch = Batch(1)
    paused.deferral.defer(
        batch, [paused.parts.item(ProcessPayment(order_id="o-1"), "payment-events")]
    )
    paused.store(batch)
    restarted = paused.parts.deferral()

    restarted.shards_gained()

    assert {"payments"} == restarted.pending


def test_every_change_of_pauses_is_reported(paused: Paused) -> None:
    """So that outcomes waiting in memory are checked again."""
    paused.pause("payments")
    paused.unpause("payments")

    assert 2 == paused.changed
