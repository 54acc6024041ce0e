"""`sagas migrate`, and a start with a definition that changed without a new version."""

import json
import sys

import pytest

from order_sagas.actors.messages import PaymentCompleted, StockReserved
from tests.support.embedded import EmbeddedSystem, an_order

BOTH = """
import attrs
from order_sagas import Saga, Step, StepMapping
from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.system.order_app import APP as SHOP

CREATE, PAY, RESERVE, COMPLETE, NOTIFY = PLACE_ORDER.rows
PACK = Step("pack", to=COMPLETE.to, do=COMPLETE.do, needs_no_undo=True)
SECOND = Saga(
    "place-order", 2, OrderCreated, [CREATE, PACK, PAY, RESERVE, COMPLETE, NOTIFY],
    PLACE_ORDER.cancelled, migrates={1: StepMapping(%s)},
)
SWAPPED = Saga(
    "place-order", 1, OrderCreated, [CREATE, RESERVE, PAY, COMPLETE, NOTIFY], PLACE_ORDER.cancelled
)
APP = attrs.evolve(SHOP, sagas=[PLACE_ORDER, SECOND])
CHANGED = attrs.evolve(SHOP, sagas=[SWAPPED])
"""


@pytest.fixture
def app(tmp_path, monkeypatch, request):
    """An app with two versions of the saga, in a module of its own."""
    name = f"two_versions_{abs(hash(request.node.name))}"

    def write(mapping: str) -> str:
        (tmp_path / f"{name}.py").write_text(BOTH % mapping)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("ORDER_SAGAS_APP", f"{name}:APP")
        return name

    yield write
    sys.modules.pop(name, None)


@pytest.fixture
def parked(tmp_path, system):
    """A saga of version 1 that waits for its payment; no service answers."""
    with EmbeddedSystem(tmp_path, services=()) as parked:
        parked.put(an_order("A"))
        yield parked


def test_sagas_are_moved_forth_and_back_and_continue(run, tmp_path, app, parked):
    module = app('added=["pack"]')
    parked.crash()

    dry = run("sagas", "migrate", "place-order", "--to", 2, "--dry-run")
    assert (0, "1 saga would be moved from version 1 to 2.\n") == (dry.exit_code, dry.stdout)
    assert 1 == parked.saga("A").version
    there = run("sagas", "migrate", "place-order", "--to", 2, "--by", "ann")
    again = run("sagas", "migrate", "place-order", "--to", 2)

    assert (0, "1 saga moved from version 1 to 2.\n") == (there.exit_code, there.stdout)
    assert "No saga 'place-order' in flight has another version than 2.\n" == again.stdout
    sagas = sys.modules[module].APP.sagas
    with EmbeddedSystem(tmp_path, sagas=sagas, services=()) as second:
        moved = second.saga("A")
        assert moved
        assert 2 == moved.version
        second.put(PaymentCompleted(order_id="A"))
        paid = second.saga("A")
        assert paid
        assert 3 == paid.stage
    back = run("sagas", "migrate", "place-order", "--to", 1, "--by", "bob")
    assert (0, "1 saga moved from version 2 to 1.\n") == (back.exit_code, back.stdout)
    parked.start()
    parked.put(StockReserved(order_id="A"))
    assert "COMPLETED" == parked.status("A")
    moves = [each.note for each in parked.saga("A").history if each.event == "saga.moved"]
    assert ["from version 1 to 2 by ann", "from version 2 to 1 by bob"] == moves
    trace = run("trace", "A").stdout
    assert "moved from version 1 to 2 by ann" in trace
    assert "moved from version 2 to 1 by bob" in trace
    acted = json.loads(run("actions", "list", "--json").stdout)
    assert [
        ("bob", "to version 1", "1 saga moved, 0 left"),
        ("ann", "to version 2", "1 saga moved, 0 left"),
    ] == [(each["by"], each["step"], each["detail"]) for each in acted]


def test_sagas_that_cannot_be_moved_are_reported_with_their_orders(run, app, parked) -> None:
    app('added=["pack"], required=["pack"]')
    parked.crash()

    for flags in (["--dry-run"], []):
        done = run("sagas", "migrate", "place-order", "--to", 2, *flags)
        assert (1, "") == (done.exit_code, done.stdout)
        assert (
            "1 saga of version 1 cannot be moved: it is past step 'pack', which must not be "
            "skipped (A)\n"
        ) == done.stderr
    assert 1 == parked.saga("A").version


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["returns", "--to", 2], "no saga is named 'returns'; registered: place-order"),
        (["place-order", "--to", 3], "saga 'place-order' has no version 3; registered: 1, 2"),
        (["place-order", "--to", 2], "moving to version 2: the other version has no step 'pack'"),
    ],
)
def test_wrong_names_and_mappings_are_refused(run, app, parked, arguments, error) -> None:
    app("")
    parked.crash()

    refused = run("sagas", "migrate", *arguments)

    assert 1 == refused.exit_code
    assert error in refused.stderr


def test_nothing_is_moved_while_a_system_runs(run, app, parked, monkeypatch) -> None:
    """Its process holds the lock of the database."""
    app('added=["pack"]')
    monkeypatch.setattr("fcntl.lockf", _refuse)

    refused = run("sagas", "migrate", "place-order", "--to", 2)

    assert 1 == refused.exit_code
    assert "is running on this database already" in refused.stderr
    assert 1 == parked.saga("A").version


def _refuse(*_: object) -> None:
    raise OSError


def test_a_changed_definition_is_a_wrong_setting(run, app, parked, monkeypatch) -> None:
    module = app('added=["pack"]')
    parked.crash()
    monkeypatch.setenv("ORDER_SAGAS_APP", f"{module}:CHANGED")

    refused = run("start")

    assert 2 == refused.exit_code
    assert "Error: version 1 of saga 'place-order' has changed since" in refused.stderr
    assert "\n  step 2: was 'process payment', stage 2, to payments" in refused.stderr
    assert "Traceback" not in refused.stderr
