"""`actions`: the log of operators' actions, and approvals by a second person."""

from pathlib import Path

import pytest

from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.storage.operator_actions import SYSTEM
from order_sagas.system.cli.action_note import note_outside
from tests.support.embedded import EmbeddedSystem, an_order


class Silent(SimulatedGateway):
    """A provider that never answers."""

    def charge(self, charge):
        return NoAnswer()


@pytest.fixture
def waiting(tmp_path, system):
    """Orders A (EUR 500) and B (EUR 600), which wait for their payments."""
    with EmbeddedSystem(tmp_path, gateway=Silent()) as system:
        for order_id, price in (("A", 50_000), ("B", 60_000)):
            lines = (OrderLine(sku="PEN", quantity=1, unit_price=price),)
            system.put(OrderCreated(order_id=order_id, currency="EUR", lines=lines))
        yield system


def test_every_command_is_listed_with_its_outcome(run, run_json, waiting):
    """With operator, target and reason; filtered by operator, outcome and target."""
    run("cancel", "A", "--why", "she called", "--by", "ada")
    run("pause", "stock", "--why", "counting", "--by", "bob")
    waiting.run()
    run("cancel", "B", "--why", "she called too", "--by", "ada")
    every = run_json("actions", "list")
    table = run("actions", "list", "--by", "ada", "--outcome", "done").stdout

    assert [
        ("cancel", "saga", "place-order/B", "ada", "she called too", "asked"),
        ("pause", "service", "stock", "bob", "counting", "done"),
        ("cancel", "saga", "place-order/A", "ada", "she called", "done"),
    ] == [
        tuple(each[name] for name in ("action", "kind", "target", "by", "why", "outcome"))
        for each in every
    ]
    assert {"command line"} == {each["via"] for each in every}
    assert "place-order/A" in table
    assert "place-order/B" not in table
    assert ["pause"] == [
        each["action"] for each in run_json("actions", "list", "--target", "stock")
    ]
    assert 1 == len(run_json("actions", "list", "--limit", "1"))
    later = every[0]["at"]
    assert [] == run_json("actions", "list", "--since", "2999-01-01")
    assert every == run_json("actions", "list", "--since", later[:10], "--until", "2999-01-01")
    lines = run("actions", "list", "--csv").stdout.splitlines()
    assert [*every[0]] == lines[0].split(",")
    assert 4 == len(lines)
    assert "There are no such actions." in run("actions", "list", "--action", "skip").stdout


@pytest.fixture
def limited(waiting, monkeypatch):
    """Amounts above EUR 500 need a second person."""
    monkeypatch.setenv("ORDER_SAGAS_APPROVAL_ABOVE", "EUR 500")
    return waiting


def test_a_large_amount_needs_a_second_person(run, run_json, limited):
    """The command says so; another person approves it."""
    free = run("cancel", "A", "--why", "x", "--by", "ada")
    held = run("cancel", "B", "--why", "x", "--by", "ada")
    limited.run()
    [pending] = run_json("actions", "list", "--outcome", "pending")
    number = str(pending["number"])
    own = run("actions", "approve", number, "--by", "ada")
    other = run("actions", "approve", number, "--by", "bob")
    limited.run()

    assert free.stdout.startswith("Sent.")
    assert "1 action not sent: a second person has to approve" in held.stdout
    assert (1, True) == (own.exit_code, "another person has to approve it" in own.stderr)
    assert "1 action approved." in other.stdout
    assert [("done", "bob")] == [
        (each["outcome"], each["approvedBy"])
        for each in run_json("actions", "list", "--target", "place-order/B")
    ]
    again = run("actions", "approve", number, "--by", "bob")
    assert (1, True) == (again.exit_code, "it is done" in again.stderr)


def test_a_rejected_action_is_never_sent(run, run_json, limited):
    """The reason is needed, and shown."""
    run("cancel", "B", "--why", "x", "--by", "ada")
    [pending] = run_json("actions", "list")
    number = str(pending["number"])
    without = run("actions", "reject", number, "--by", "bob")
    run("actions", "reject", number, "--by", "bob", "--why", "she was wrong")
    limited.run()

    assert (2, True) == (without.exit_code, "needs a reason" in without.stderr)
    assert "rejected: she was wrong" in run("actions", "list").stdout
    assert "RUNNING" == limited.status("B")
    assert 1 == run("actions", "approve", "99").exit_code


def test_commands_that_send_records_or_delete_are_listed_too(run, run_json, system, tmp_path):
    """With operator, reason, target and number; commands that change nothing are not."""
    system.start()
    stock = tmp_path / "stock.csv"
    stock.write_text("sku,quantity,warehouse\nPEN,3,main\nPEN,1,north\n")
    who = ("--by", "ada", "--why", "a test")
    run("stock", "load", stock, *who)
    run("stock", "load", stock, *who)
    run("inject", "payment-events", '{"orderId": "A", "status": "PAYMENT_COMPLETED"}', *who)
    system.put(an_order("done"))
    run("prune", "--older-than", "1d", "--dry-run", *who)
    run("prune", "--older-than", "1d", *who)
    every = run_json("actions", "list", "--by", "ada")

    assert [
        ("prune", "system", "orders", "", "done"),
        ("inject", "topic", "payment-events/A", "PAYMENT_COMPLETED", "done"),
        ("load stock", "warehouse", "north", "", "done"),
        ("load stock", "warehouse", "main", "", "done"),
    ] == [
        tuple(each[name] for name in ("action", "kind", "target", "step", "outcome"))
        for each in every
    ]
    assert every[0]["detail"].startswith("1 order that ended before ")
    assert {"a test"} == {each["why"] for each in every}


def test_an_effect_outside_the_database_is_stored_in_it(run_json, system, tmp_path, capsys):
    """Without a database there is no log; if it cannot be written, there is a warning."""
    note = {"action": "stop", "by": "ada", "why": "", "detail": "process 7"}
    missing, other = tmp_path / "missing.db", tmp_path / "other.db"
    note_outside(f"sqlite:///{missing}", SYSTEM, "here", **note)
    other.write_bytes(b"no database")
    note_outside(f"sqlite:///{other}", SYSTEM, "here", **note)
    system.start()
    note_outside(system.settings.database, SYSTEM, "here", **note)
    [noted] = run_json("actions", "list")

    assert not missing.exists()
    assert 1 == capsys.readouterr().err.count("Warning: not in the log of operators' actions")
    assert ("stop", "here", "process 7") == (noted["action"], noted["target"], noted["detail"])


def test_who_creates_a_token_is_listed_without_it(run, run_json, waiting):
    """Its name and role; without a database, none is made for the log."""
    made = run("http", "token", "shop", "--role", "operate", "--by", "ada", "--why", "new shop")
    (action,) = run_json("actions", "list", "--action", "create token")
    elsewhere = run("http", "token", "shop", "--database", "sqlite:///none.db")
    token = made.stderr.splitlines()[-1]

    assert ("system", "shop", "role operate", "ada", "new shop", "done") == tuple(
        action[name] for name in ("kind", "target", "detail", "by", "why", "outcome")
    )
    assert token.startswith("os_")
    assert token not in str(action)
    assert (0, 2, False) == (
        elsewhere.exit_code, len(elsewhere.stderr.splitlines()), Path("none.db").exists()
    )  # fmt: skip
