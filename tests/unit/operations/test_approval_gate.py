"""The worker holds back commands without the approval that they need."""

import msgspec
import pytest

from order_sagas.actors.messages import CancelSaga, OrderCreated, OrderLine, ResumeSaga
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.operations import Approvals, SagaOperations
from order_sagas.bridges.storage.operator_action_queries import ActionFilter, actions_page
from order_sagas.bridges.storage.queries import reading
from tests.support.embedded import EmbeddedSystem

LIMITED = {"approval_above": (("EUR", 50_000),)}


class Silent(SimulatedGateway):
    """A provider that never answers."""

    def charge(self, charge):
        return NoAnswer()

    def refund(self, refund):
        return NoAnswer()


class NoRefunds(SimulatedGateway):
    """A provider that approves charges, and never answers refunds."""

    def refund(self, refund):
        return NoAnswer()


def order(order_id, price):
    """An order with an amount in cents."""
    pens = (OrderLine(sku="PEN", quantity=1, unit_price=price),)
    return OrderCreated(order_id=order_id, currency="EUR", lines=pens)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Orders A (EUR 500) and B (EUR 600) wait for payments; above EUR 500, two persons decide."""
    with EmbeddedSystem(tmp_path, gateway=Silent(), settings=LIMITED) as system:
        module = "order_sagas.bridges.storage.operator_action_queries.time.time"
        monkeypatch.setattr(module, system.clock.now)
        system.put(order("A", 50_000), order("B", 60_000))
        yield system


def cancel(order_id, **fields):
    """A command of ada's to cancel an order."""
    return CancelSaga(
        **{"order_id": order_id, "saga": "place-order", "by": "ada", "why": "x", **fields}
    )


def logged(system, *names):
    """These columns of the actions in the log, the oldest first."""
    with reading(system.settings.database) as db:
        rows = actions_page(db, ActionFilter(), None)
    return [tuple(row[name] for name in names) for row in reversed(rows)]


def approve(system, by="bob"):
    """Approve the waiting actions as another person, and let the worker handle them."""
    [number] = [no for no, outcome in logged(system, "no", "outcome") if outcome == "pending"]
    Approvals(system.settings.database, system.clock).approve([number], by, system.log)
    system.run()


@pytest.mark.parametrize("saga", ["place-order", ""])
@pytest.mark.parametrize("event_id", ["", "operator/forged/1"])
def test_a_record_waits_for_a_second_person(system, saga, event_id):
    """Also without the name of the saga; below the limit it does not wait."""
    system.put(cancel("A"), cancel("B", saga=saga, event_id=event_id))

    assert ("CANCELLED", "RUNNING") == (system.status("A"), system.status("B"))
    assert ("record", "cancel", f"{saga}/B", "pending", "ada") in logged(
        system, "via", "action", "target", "outcome", "by"
    )
    approve(system)
    assert "CANCELLED" == system.status("B")
    assert ("done", "bob") in logged(system, "outcome", "approved_by")


def test_a_command_sent_without_the_setting_waits_too(system):
    """The row of the request becomes pending."""
    SagaOperations(system.settings.database, system.parts.registry, clock=system.clock).send(
        [cancel("B")], system.log
    )
    asked = logged(system, "via", "outcome")
    system.run()

    assert [("command line", "asked")] == asked
    assert "RUNNING" == system.status("B")
    assert [("command line", "pending")] == logged(system, "via", "outcome")
    approve(system)
    assert "CANCELLED" == system.status("B")
    assert [("done", "ada", "bob")] == logged(system, "outcome", "by", "approved_by")


def test_an_approval_is_valid_for_one_record(tmp_path):
    """A copy waits again; so does another command under the id of an approved one."""
    with EmbeddedSystem(tmp_path, gateway=NoRefunds(), settings=LIMITED) as system:
        system.put(order("B", 60_000))
        system.advance(hours(3))
        resume = ResumeSaga(order_id="B", saga="place-order", by="ada", event_id="operator/a/1")
        system.put(resume)
        with pytest.MonkeyPatch.context() as patch:
            module = "order_sagas.bridges.storage.operator_action_queries.time.time"
            patch.setattr(module, system.clock.now)
            [number] = [no for (no,) in logged(system, "no")]
            approvals = Approvals(system.settings.database, system.clock)
            approvals.approve([number], "bob", system.log)
            other = msgspec.structs.replace(resume, by="eve")
            system.put(other)
            system.put(resume)
            found = logged(system, "by", "outcome", "approved_by")

    assert [("ada", "done", "bob"), ("eve", "pending", ""), ("ada", "pending", "")] == found


def test_a_record_that_waits_already_does_not_wait_twice(system):
    """A command that is put into the topic twice has one row."""
    for _ in range(2):
        system.put(cancel("B", event_id="operator/a/1"))

    assert [("pending",)] == logged(system, "outcome")


def test_another_command_under_the_id_of_one_that_waits_waits_too(system):
    """In the same batch or in a later one; none is lost, and none takes the place of the other."""
    system.put(order("C", 70_000))
    first, *others = (cancel(each, event_id="operator/a/1") for each in ("B", "C", "C"))
    system.put(first, others[0])
    system.put(others[1])

    assert ["place-order/B", "place-order/C", "place-order/C"] == [
        target for target, outcome in logged(system, "target", "outcome") if outcome == "pending"
    ]
    assert 3 == len({*logged(system, "event_id")})


def test_another_command_under_the_id_of_one_that_was_asked_for_waits_apart(system):
    """What is approved later is what was asked for."""
    SagaOperations(system.settings.database, system.parts.registry, clock=system.clock).send(
        [cancel("B")], system.log
    )
    [(asked,)] = logged(system, "event_id")
    system.put(cancel("B", by="eve", event_id=asked))

    assert [("ada", "pending"), ("eve", "pending")] == logged(system, "by", "outcome")


def test_a_batch_that_is_rolled_back_holds_its_command_when_it_is_read_again(system):
    """The row is stored with the offset of the record, or neither is."""
    SagaOperations(system.settings.database, system.parts.registry, clock=system.clock).send(
        [cancel("B")], system.log
    )
    system.crash()
    asked = logged(system, "outcome")
    system.start()
    system.run()

    assert [("asked",)] == asked
    assert [("pending",)] == logged(system, "outcome")
