"""The log of operators' actions: it is written in the transaction of the effect."""

import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from order_sagas.actors.messages import CancelSaga, OrderCreated, OrderLine, ResumeSaga
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.operations import (
    AlreadySoError,
    Approvals,
    NoSuchActionError,
    Origin,
    PauseOperations,
    ReasonNeededError,
    SagaOperations,
    SamePersonError,
)
from order_sagas.bridges.operations.dead_letters import DeadLetterOperations
from order_sagas.bridges.processor.pruner import Pruner
from order_sagas.bridges.storage.operator_action_queries import ActionFilter, actions_page
from order_sagas.bridges.storage.queries import reading, saga_statuses
from tests.support.embedded import EmbeddedSystem


class Silent(SimulatedGateway):
    """A provider that never answers."""

    def charge(self, charge):
        return NoAnswer()


class NoRefunds(SimulatedGateway):
    """A provider that approves charges, and never answers refunds."""

    def refund(self, refund):
        return NoAnswer()


@pytest.fixture
def system(tmp_path):
    """A system in which the orders A (EUR 500) and B (EUR 600) wait for their payments."""
    with EmbeddedSystem(tmp_path, gateway=Silent()) as system:
        for order_id, price in (("A", 50_000), ("B", 60_000)):
            pens = (OrderLine(sku="PEN", quantity=1, unit_price=price),)
            system.put(OrderCreated(order_id=order_id, currency="EUR", lines=pens))
        yield system


def operations(system, **limits):
    """The operations on its sagas."""
    return SagaOperations(
        system.settings.database, system.parts.registry, limits, clock=system.clock
    )


def cancel(order_id, by="ada"):
    """A command to cancel an order."""
    return CancelSaga(order_id=order_id, saga="place-order", by=by, why="the customer called")


def logged(system, *names, **which):
    """These columns of the actions in the log, the oldest first."""
    with reading(system.settings.database) as db:
        rows = actions_page(db, ActionFilter(**which), None)
    return [tuple(row[name] for name in names) for row in reversed(rows)]


def test_a_command_is_logged_when_sent_and_when_carried_out(system):
    """Both in the transaction of the effect, with who, why, when and how."""
    began = system.clock.now()
    sent = operations(system).ask(cancel("A"), system.log)
    asked = logged(system, "outcome", "done_at")
    system.run()

    assert [("asked", None)] == asked
    assert [
        (sent.request, "ada", "command line", "cancel", "saga", "place-order/A", "", "done", began)
    ] == logged(
        system, "request", "by", "via", "action", "kind", "target", "detail", "outcome", "done_at"
    )
    assert [("the customer called", began)] == logged(system, "why", "asked_at")


def test_a_command_that_a_saga_refuses_is_logged_with_the_reason(system):
    """In flight, after its end, and for a saga that does not exist."""
    checked = [operations(system).check(cancel("A", by)) for by in ("ada", "bob")]
    operations(system).send(checked, system.log)
    system.run()
    system.advance(hours(1))
    operations(system).send([checked[0]], system.log)
    operations(system).send([cancel("Z")], system.log)
    system.run()

    assert [
        ("done", ""),
        ("refused", "it is being compensated already"),
        ("refused", "the saga has ended"),
        ("refused", "no saga of this order is known"),
    ] == logged(system, "outcome", "detail")


def test_a_command_that_was_put_into_the_topic_is_logged_by_the_worker(system):
    """Operator and reason are those of the record."""
    system.put(cancel("A", by="eve"))
    system.put(ResumeSaga(order_id="B", by="eve", event_id="operator/forged/1/2"))

    assert [
        ("record", "eve", "cancel", "place-order/A", "done", ""),
        ("record", "eve", "resume", "place-order/B", "refused", "no step is stuck"),
    ] == logged(system, "via", "by", "action", "target", "outcome", "detail")


def test_a_rolled_back_batch_leaves_its_command_asked(system):
    """The outcome is stored with the effect, or neither is."""
    operations(system).ask(cancel("A"), system.log)
    system.crash()

    assert [("asked",)] == logged(system, "outcome")
    system.start()
    assert [("done",)] == logged(system, "outcome")


def test_a_repeated_command_keeps_its_first_outcome(system):
    """The saga refuses the second one; the action was carried out."""
    command = cancel("A")
    operations(system).ask(command, system.log)
    system.run()
    (raw,) = [r for r in system.records("operator-commands") if r["status"] == "CANCEL_SAGA"]
    system.put(CancelSaga(order_id="A", by="ada", event_id=raw["eventId"]))

    assert [("done", "")] == logged(system, "outcome", "detail")


def test_dead_letters_and_pauses_are_logged_with_their_effects(system):
    """One row for each letter; all of a request have its id."""
    for text in (b"one", b"two"):
        system.put_raw("order-events", text)
    letters = DeadLetterOperations(system.log, system.clock, Origin("page"))
    numbers = [letter.number for letter in letters.all()]
    letters.discard(numbers, "ada", "a test")
    pauses = PauseOperations(system.log, ["payments"], system.clock)
    pauses.pause("payments", "bob", "it moves")
    with pytest.raises(AlreadySoError):
        pauses.pause("payments", "bob", "it moves")
    pauses.unpause("payments", "bob")

    assert [
        ("page", "discard", "dead-letter", str(numbers[0]), "ada", "a test", "done"),
        ("page", "discard", "dead-letter", str(numbers[1]), "ada", "a test", "done"),
        ("command line", "pause", "service", "payments", "bob", "it moves", "done"),
        ("command line", "unpause", "service", "payments", "bob", "", "done"),
    ] == logged(system, "via", "action", "kind", "target", "by", "why", "outcome")
    assert 1 == len({request for (request,) in logged(system, "request", action="discard")})


def test_actions_are_found_by_target_operator_and_outcome(system):
    """Each alone, and together."""
    operations(system).send([cancel("A"), cancel("B", by="bob")], system.log)

    assert [("place-order/A",)] == logged(system, "target", by="ada")
    assert [("bob",)] == logged(system, "by", target="place-order/B")
    assert [] == logged(system, "by", target="place-order/B", by="ada")
    assert [] == logged(system, "by", outcomes=("done",))
    assert 2 == len(logged(system, "by", outcomes=("asked", "done"), action="cancel"))


def test_the_statuses_of_very_many_sagas_are_read(system):
    """More than a statement may have parameters: a request on many may have as many targets."""
    many = [f"place-order/{number}" for number in range(2000)]
    with reading(system.settings.database) as db:
        raw: Any = db.connection.driver_connection
        raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1999)
        found = saga_statuses(db, [*many, "place-order/A", *many, "place-order/B"])

    assert {"place-order/A": "RUNNING", "place-order/B": "RUNNING"} == found


def test_old_actions_are_deleted_after_the_time_for_which_they_are_kept(system):
    """By the owner of the first shard, in the background; newer ones stay."""
    operations(system).ask(cancel("A"), system.log)
    pruner = Pruner(system.store, system.clock, None, keep_actions=3600.0)
    system.advance(3601)
    operations(system).send([cancel("B")], system.log)
    pruner.work({1: 1})
    kept = logged(system, "target")
    pruner.work({0: 1})
    system.advance(61)
    pruner.work({0: 1})

    assert [("place-order/A",), ("place-order/B",)] == kept
    assert [("place-order/B",)] == logged(system, "target")


# --- approval by a second person ------------------------------------------------------------------


@pytest.fixture
def times(system, monkeypatch):
    """Set the time of the process to that of the system."""
    clock = SimpleNamespace(time=system.clock.now)
    monkeypatch.setattr("order_sagas.bridges.storage.operator_action_queries.time", clock)


def test_an_action_above_the_limit_waits_for_another_person(system, times):
    """The limit itself needs no approval, nor does another currency. Both persons are logged."""
    limited = operations(system, EUR=50_000, USD=1)
    sent = limited.send([cancel("A"), cancel("B")], system.log)
    system.run()

    assert 1 == sent.pending
    assert ("CANCELLED", "RUNNING") == (system.status("A"), system.status("B"))
    [(number,)] = logged(system, "no", outcomes=("pending",))
    approvals = Approvals(system.settings.database, system.clock)
    with pytest.raises(SamePersonError, match="asked for by ada: another person"):
        approvals.approve([number], "ada", system.log)
    approvals.approve([number], "bob", system.log)
    system.run()

    assert "CANCELLED" == system.status("B")
    assert [("done", "ada", "bob")] == logged(
        system, "outcome", "by", "approved_by", target="place-order/B"
    )
    with pytest.raises(AlreadySoError, match="waits for no approval: it is done"):
        approvals.approve([number], "bob", system.log)


def test_a_rejected_or_expired_action_is_never_sent(system, times):
    """A rejection needs a reason; an action not approved within a day expires."""
    limited = operations(system, EUR=100)
    limited.send([cancel("A"), cancel("B")], system.log)
    (first,), (second,) = logged(system, "no")
    approvals = Approvals(system.settings.database, system.clock)
    with pytest.raises(ReasonNeededError):
        approvals.reject([first], "ada", " ", system.log)
    approvals.reject([first], "ada", "a mistake", system.log)
    system.advance(hours(25))

    assert [("rejected", "a mistake"), ("expired", "")] == logged(system, "outcome", "detail")
    for number in (first, second):
        with pytest.raises(AlreadySoError):
            approvals.approve([number], "bob", system.log)
    with pytest.raises(NoSuchActionError, match="no action 99"):
        approvals.approve([99], "bob", system.log)
    assert [] == system.records("operator-commands")


def test_continuing_a_compensation_needs_an_approval_too(tmp_path):
    """It continues the refund, which is needed because nothing is in stock."""
    with EmbeddedSystem(tmp_path, gateway=NoRefunds()) as system:
        pens = (OrderLine(sku="PEN", quantity=1, unit_price=200),)
        system.put(OrderCreated(order_id="A", currency="EUR", lines=pens))
        system.advance(hours(3))
        resume = ResumeSaga(order_id="A", saga="place-order", by="ada")

        assert "NEEDS_ATTENTION" == system.status("A")
        assert 1 == operations(system, EUR=100).send([resume], system.log).pending
        assert 0 == operations(system, EUR=200).send([resume], system.log).pending
