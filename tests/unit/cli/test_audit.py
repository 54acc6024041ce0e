"""`audit`: the stored data is checked, and each check is printed."""

import json
import sqlite3
import tracemalloc
from functools import partial

import pytest
from click.testing import CliRunner

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.bridges.audit import Found, examine, ledger_of
from order_sagas.bridges.storage.queries import reading
from order_sagas.system.cli.audit import LISTED, SHOWN, audit_command
from tests.support.embedded import an_order


@pytest.fixture
def audit(system):
    """Run the command on the system's database."""
    return lambda *args: CliRunner().invoke(audit_command, args)


def corrupt(system, sql):
    """Change stored data directly."""
    with sqlite3.connect(system.settings.database.removeprefix("sqlite:///")) as db:
        db.execute(sql)


def test_consistent_data_passes_with_counts_of_each_check(audit, system):
    """Exit code 0, and a count for each check."""
    system.load({"PEN": 3})
    system.start()
    system.put(an_order("A"), an_order("B"))

    result = audit("--ended")

    assert 0 == result.exit_code
    assert "19 checks, no violations." in result.stdout
    assert "on hand + held + sold = loaded" in result.stdout


def test_a_violation_is_named_with_its_order_and_fails(audit, system):
    """Exit code 1, for scripts."""
    system.load({"PEN": 3})
    system.start()
    system.put(an_order("A"))
    corrupt(system, "UPDATE payments SET charges = 2")

    result = audit()

    assert 1 == result.exit_code
    assert "VIOLATION charged once: A: COMPLETED, charges: 2, refunds: 0" in result.stdout
    assert "17 checks, 1 violation." in result.stdout


BAD = (
    "INSERT INTO payments WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < {}) SELECT i, 'o-' || i, 'COMPLETED', 1, 'EUR', 'c', '', 2, 0, '', '', '', 1 FROM n"
)
"""So many payments that were charged twice."""


def test_many_violations_are_counted_and_the_first_are_shown(audit, system):
    """On the terminal and in JSON; JSON Lines have all of them, and nothing else."""
    corrupt(system, BAD.format(LISTED + 5))

    text, document, lines = audit(), audit("--json"), audit("--json-lines")
    (check,) = [each for each in json.loads(document.stdout)["checks"] if each["violations"]]
    shown = [json.loads(line) for line in lines.stdout.splitlines()]

    assert [1, 1, 1] == [each.exit_code for each in (text, document, lines)]
    assert SHOWN + 1 == text.stdout.count("VIOLATION charged once")
    assert "VIOLATION charged once: 985 more; --json-lines prints all" in text.stdout
    assert "17 checks, 1,005 violations." in text.stdout
    assert (LISTED + 5, LISTED) == (check["violationCount"], len(check["violations"]))
    assert [f"o-{n}" for n in range(1, LISTED + 6)] == [each["subject"] for each in shown]
    assert {"check", "subject", "found"} == shown[0].keys()


def test_what_is_violated_takes_no_memory_but_for_the_first(system):
    """Neither the rows nor the violations are all in memory, however bad the books are."""
    corrupt(system, BAD.format(30_000))
    peaks = []
    with reading(system.settings.database, limited=False) as db:
        for keep in (10, None):
            tracemalloc.start()
            report = examine(ledger_of(db), [PLACE_ORDER], new=partial(Found, keep=keep))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

            assert 30_000 == report.count

    assert peaks[0] < 2_000_000 < peaks[1]


def test_json_or_json_lines(audit, system):
    """Not both."""
    result = audit("--json", "--json-lines")

    assert 2 == result.exit_code
    assert "not both" in result.stderr


def test_json_has_every_check_and_its_violations(audit, system):
    """For programs."""
    system.load({"PEN": 3})
    system.start()
    system.put(an_order("A"))
    corrupt(system, "UPDATE stock SET on_hand = on_hand + 1")

    result = audit("--json")
    told = json.loads(result.stdout)
    broken = [check for check in told["checks"] if check["violations"]]

    assert (1, False) == (result.exit_code, told["ok"])
    assert ["stock conserved"] == [check["name"] for check in broken]
    assert "PEN in main" == broken[0]["violations"][0]["subject"]


def test_orders_that_wait_in_the_log_are_no_violation_unless_all_must_have_ended(audit, system):
    """They are told apart from orders in flight."""
    system.put(an_order("A"))

    before, ended = audit(), audit("--ended")

    assert (0, 1) == (before.exit_code, ended.exit_code)
    assert "1 record not handled yet" in before.stdout
    assert "--ended allows none" in ended.stdout
