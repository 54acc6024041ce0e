"""`audit`: the stored data is checked, and each check is printed."""

import json
import sqlite3

import pytest
from click.testing import CliRunner

from order_sagas.system.cli.audit import audit_command
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


def test_json_has_every_check_and_every_violation(audit, system):
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
