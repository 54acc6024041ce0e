"""Completion of commands, options, ids and names, as shells ask for it."""

import pytest
from click.testing import CliRunner

from order_sagas.actors.sagas.definition import hours
from order_sagas.bridges.storage.id_prefixes import order_ids, saga_ids
from order_sagas.bridges.storage.queries import IN_FLIGHT, reading
from order_sagas.system.cli.commands import COMPLETE
from order_sagas.system.cli.complete import LIMIT
from order_sagas.system.cli.completion import PROGRAM, SHELLS
from order_sagas.system.cli.main import main
from tests.support.cli import ROOT
from tests.support.embedded import EmbeddedSystem, an_order
from tests.unit.cli.test_putting_right import NeverRefunds

TRAVEL = "examples.travel.app:APP"


@pytest.fixture
def complete(system):
    """Complete a line as the script for bash does; return the values as bash would insert them.

    What is printed is checked to be an answer, and nothing else.
    """

    def complete(line, **variables):
        env = {COMPLETE: "bash_complete", "COMP_LINE": line, **variables}
        result = CliRunner().invoke(main, prog_name=PROGRAM, env=env)
        assert (0, "") == (result.exit_code, result.stderr)
        rows = [row.partition(",") for row in result.stdout.splitlines() if row]
        assert {"plain"} >= {kind for kind, _, _ in rows}
        return [value.replace("\\\\", "\\") for _, _, value in rows]

    return complete


@pytest.fixture
def stuck(tmp_path, system, monkeypatch):
    """A system with an order that is completed, and two that cannot be undone."""
    monkeypatch.setattr(NeverRefunds, "answers", False)
    with EmbeddedSystem(tmp_path, gateway=NeverRefunds()) as system:
        system.load({"PEN": 2}, delivery="delivery-1")
        system.put(an_order("done-1"), an_order("stuck-1"), an_order("stuck 2"))
        system.advance(hours(5))
        yield system


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("order-sagas sta", ["start", "status"]),
        ("order-sagas stock l", ["load"]),
        ("order-sagas trace --js", ["--json"]),
        ("order-sagas completion ", [*SHELLS]),
        ("order-sagas pause p", ["payments"]),
        ("order-sagas unpause i", ["intake"]),
        ("order-sagas inject pay", ["payment-events"]),
        ("order-sagas sagas start pl", ["place-order"]),
        ("order-sagas sagas migrate ", ["place-order"]),
        ("order-sagas cancel --saga ", ["place-order"]),
        ("order-sagas retry A-1 --step pro", ["process\\ payment"]),
        ("order-sagas retry A-1 --step process\\ p", ["process\\ payment"]),
        ("order-sagas skip --step=pro", ["process\\ payment"]),
        ("order-sagas resume --all --status n", ["needs_attention"]),
        ("order-sagas sagas --status comple", ["completed"]),
        ("order-sagas messages OUT", []),
        ("order-sagas messages ORDER_CR", ["ORDER_CREATED"]),
        ("order-sagas dead-letters replay --all --topic st", ["stock-events"]),
        ("order-sagas topics accept-reset no", ["notification-events"]),
    ],
)
def test_names_are_completed(complete, line, found) -> None:
    """Names of commands, options, and parts of the app. No database is needed."""
    assert found == complete(line)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("order-sagas pause h", ["hotels"]),
        ("order-sagas sagas start ", ["book-trip", "insure-trip", "settle-day"]),
        ("order-sagas skip --saga settle-day --step ", ["settle"]),
        ("order-sagas signal book-trip/T-1 ", ["TRIP_APPROVED", "TRIP_REJECTED"]),
        ("order-sagas signal settle-day/T-1 ", []),
    ],
)
def test_names_are_those_of_the_app_of_the_line(complete, monkeypatch, line, found) -> None:
    """Given by a variable, as usual."""
    monkeypatch.syspath_prepend(ROOT)

    assert found == complete(line, ORDER_SAGAS_APP=TRAVEL)


def test_order_ids_come_from_the_database(complete, stuck, monkeypatch) -> None:
    """The database of the environment, or of the line. A delivery of stock is no order."""
    assert ["done-1"] == complete("order-sagas show d")
    assert ["stuck\\ 2", "stuck-1", "done-1"] == complete("order-sagas trace ")
    assert ["stuck\\ 2"] == complete("order-sagas show stuck\\ ")

    monkeypatch.delenv("ORDER_SAGAS_DATABASE")
    assert [] == complete("order-sagas show stuck-")
    database = stuck.settings.database
    assert ["stuck-1"] == complete(f"order-sagas show --database {database} stuck-")


def test_operators_commands_complete_orders_that_they_apply_to(complete, stuck) -> None:
    """Orders that need attention, or those in flight; sagas by their ids."""
    for command in ("retry", "skip", "resume", "cancel"):
        assert ["stuck\\ 2", "stuck-1"] == complete(f"order-sagas {command} ")
    assert ["stuck-1"] == complete("order-sagas retry stuck-")
    assert [] == complete("order-sagas retry done")
    assert ["place-order/stuck\\ 2"] == complete("order-sagas signal place-order/stuck\\ ")
    assert 2 == len(complete("order-sagas signal pl"))
    assert [] == complete("order-sagas signal other/stuck")


def test_at_most_fifty_ids_are_offered(complete, system) -> None:
    """The first ones with the prefix."""
    system.start()
    system.put(*[an_order(f"o-{number:03}") for number in range(LIMIT + 10)])

    assert LIMIT == len(complete("order-sagas show "))
    assert [f"o-{number:03}" for number in range(LIMIT)] == complete("order-sagas show o-")
    with reading(system.settings.database) as db:
        assert 3 == len(order_ids(db, "", 3))
        assert ["o-010", "o-011"] == order_ids(db, "o-01", 2)
        assert [] == saga_ids(db, "o-", IN_FLIGHT, 5)


def test_an_id_with_an_escape_sequence_is_not_offered(complete, system) -> None:
    """The shell would print it."""
    system.start()
    system.put(an_order("o-1"), an_order("o-\x1b[31m"))

    assert ["o-1"] == complete("order-sagas show o-")


@pytest.mark.parametrize(
    "variables",
    [
        {"ORDER_SAGAS_DATABASE": "sqlite:///none.db"},
        {"ORDER_SAGAS_DATABASE": "no URL"},
        {"ORDER_SAGAS_DATABASE": "postgresql://nobody@127.0.0.1:1/none"},
        {"ORDER_SAGAS_APP": "no.such:APP"},
        {"ORDER_SAGAS_BATCH_SIZE": "many"},
    ],
)
def test_completion_never_fails(complete, variables) -> None:
    """No database, no server, no app, a wrong setting."""
    line = "order-sagas pause s" if "ORDER_SAGAS_APP" in variables else "order-sagas show o"

    assert [] == complete(line, **variables)


def test_an_app_that_prints_does_not_disturb_completion(complete, tmp_path, monkeypatch) -> None:
    """When it is imported."""
    (tmp_path / "loud.py").write_text(
        "print('plain,hello')\nfrom order_sagas.system.order_app import APP\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert ["stock"] == complete("order-sagas pause s", ORDER_SAGAS_APP="loud:APP")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(run, shell) -> None:
    """The script sets the variable that the program reads."""
    shown = run("completion", shell)

    assert 0 == shown.exit_code
    assert f"{COMPLETE}={shell}_complete" in shown.stdout


def test_another_shell_is_refused(run) -> None:
    """The error names the supported shells."""
    shown = run("completion", "ksh")

    assert 2 == shown.exit_code
    assert "'bash', 'zsh', 'fish'" in shown.stderr


@pytest.mark.parametrize("words", ["order-sagas show do", "order-sagas show d"])
def test_the_protocol_of_click_works_too(stuck, words) -> None:
    """By words, as scripts of click send them."""
    env = {COMPLETE: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    result = CliRunner().invoke(main, prog_name=PROGRAM, env=env)

    assert (0, "plain,done-1\n") == (result.exit_code, result.stdout)
