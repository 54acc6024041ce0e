"""Commands without the required approval are held back on PostgreSQL as on SQLite."""

import pytest

from order_sagas.actors.messages import CancelSaga, OrderCreated, OrderLine
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.operations import Approvals, SagaOperations
from tests.support.embedded import EmbeddedSystem


class Silent(SimulatedGateway):
    """A provider that never answers."""

    def charge(self, charge):
        return NoAnswer()


@pytest.mark.postgres
def test_a_command_without_its_approval_is_held_on_postgresql(postgres_url, tmp_path, monkeypatch):
    """A command sent without the setting, and a record; the approval sends the command again."""
    limits = {"approval_above": (("EUR", 100),)}
    with EmbeddedSystem(
        tmp_path, database=postgres_url, gateway=Silent(), settings=limits
    ) as system:
        module = "order_sagas.bridges.storage.operator_action_queries.time.time"
        monkeypatch.setattr(module, system.clock.now)
        lines = (OrderLine(sku="PEN", quantity=1, unit_price=200),)
        for order_id in "AB":
            system.put(OrderCreated(order_id=order_id, currency="EUR", lines=lines))
        cancel = CancelSaga(order_id="A", saga="place-order", by="ada", why="x")
        operations = SagaOperations(postgres_url, system.parts.registry, clock=system.clock)
        operations.send([cancel], system.log)
        system.put(CancelSaga(order_id="B", saga="place-order", by="ada", why="x"))
        held = [*system.store.db.rows("SELECT no, outcome FROM operator_actions", ())]
        before = system.status("A"), system.status("B")
        approvals = Approvals(postgres_url, system.clock)
        approvals.approve([no for no, _ in held], "bob", system.log)
        system.run()
        after = system.status("A"), system.status("B")

    assert ["pending", "pending"] == [outcome for _, outcome in held]
    assert (("RUNNING", "RUNNING"), ("CANCELLED", "CANCELLED")) == (before, after)
