"""Commands to one saga, on a database and a log."""

import json

import pytest

from order_sagas.actors.messages import CancelSaga, OrderCreated, SkipStep
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.operations import NoSuchSagaError, ReasonNeededError, SagaOperations
from tests.support.embedded import EmbeddedSystem


class Silent(SimulatedGateway):
    """A provider that never answers."""

    def charge(self, charge):
        return NoAnswer()


@pytest.fixture
def system(tmp_path):
    """A system in which order A waits for its payment."""
    with EmbeddedSystem(tmp_path, gateway=Silent()) as system:
        system.put(OrderCreated(order_id="A"))
        yield system


@pytest.fixture
def operations(system):
    """The operations on it."""
    return SagaOperations(system.settings.database, system.parts.registry)


def test_a_command_is_carried_out_and_its_reason_is_stored(system, operations):
    """In the saga's history and in its trace."""
    command = CancelSaga(order_id="A", saga="place-order", by="ada", why="the customer called")
    operations.ask(command, system.log)
    system.run()

    assert "CANCELLED" == system.status("A")
    assert "cancel by ada: the customer called" in [e.note for e in system.saga("A").history]
    (line,) = [e for e in map(json.loads, system.logged.lines) if e["event"] == "saga.operator"]
    assert ("ada", "the customer called") == (line["by"], line["why"])


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (CancelSaga(order_id="B", saga="place-order", why="x"), NoSuchSagaError),
        (CancelSaga(order_id="A", saga="return", why="x"), NoSuchSagaError),
        (CancelSaga(order_id="A", saga="place-order"), ReasonNeededError),
        (SkipStep(order_id="A", saga="place-order", why=" "), ReasonNeededError),
    ],
)
def test_an_impossible_command_is_not_sent(system, operations, command, error):
    """It is an error at once."""
    with pytest.raises(error):
        operations.ask(command, system.log)

    assert [] == [r for r in system.records() if "SAGA" in r["status"] or "STEP" in r["status"]]


def test_a_saga_that_continued_meanwhile_ignores_the_command(system, operations):
    """The command was checked against the stored state; the saga checks it again."""
    command = CancelSaga(order_id="A", saga="place-order", why="x")
    operations.check(command)
    system.put(CancelSaga(order_id="A", why="earlier"))
    operations.send([command], system.log)
    system.run()

    assert "earlier" == system.saga("A").reason
