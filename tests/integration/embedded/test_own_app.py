"""An app of a user, run by the commands: two workers, embedded log."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Started, environment, number, order_sagas
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

APP = ("--app", "tests.support.rentals:APP")
COUNT = 40
AT_DESK = "SELECT count(*) FROM sagas WHERE step = 'hand over keys'"
ENDED = "SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL"


def answer(env: dict[str, str], *args: object) -> Any:
    """Run a command with --json; return what it printed."""
    done = order_sagas(*args, "--json", env=env)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def test_an_app_is_run_by_its_name_alone(tmp_path: Path) -> None:
    """Sagas are started, answered from elsewhere, cancelled and signalled; the books are right."""
    env = environment(tmp_path, workers=2, log_dir=tmp_path / "logs", partitions=4)
    file = tmp_path / "rentals.jsonl"
    requests = [{"orderId": f"r-{n}", "car": "van", "deposit": 500} for n in range(COUNT)]
    requests += [{"orderId": "bad", "car": "tank"}, {"orderId": "long", "car": "van", "days": 90}]
    file.write_text("\n".join(json.dumps(each) for each in requests))
    with Started(tmp_path, env, *APP) as system:
        started = answer(env, "sagas", "start", "rent-car", "--file", file, *APP)
        wait_until(lambda: number(AT_DESK, env) == COUNT, "the sagas to wait for the desk")
        reports = answer(env, "status")["workers"]
        done = order_sagas("signal", "rent-car/long", "RENTAL_APPROVED", *APP, env=env)
        cancelled = order_sagas("cancel", "r-0", "--saga", "rent-car", "--why", "test",
                                *APP, env=env)  # fmt: skip
        for n in range(1, 4):
            handed = json.dumps({"orderId": f"r-{n}", "status": "KEYS_HANDED_OVER"})
            order_sagas("inject", "desk-events", handed, *APP, env=env)
        wait_until(lambda: number(ENDED, env) == 4, "the sagas to end")
        wait_until(lambda: number(AT_DESK, env) == COUNT - 2, "the long rental to go on")
        listed = answer(env, "sagas", "--limit", 0)
        letters = order_sagas("dead-letters", "list", *APP, env=env).stdout
        audit = order_sagas("audit", *APP, env=env)

        assert 0 == system.stop(), system.printed
    assert COUNT + 2 == len(started["sagas"])
    assert 0 == done.returncode, done.stderr
    # The pivot's command was sent, so that a cancel has to wait for its outcome.
    assert 1 == cancelled.returncode
    outcomes = {each["orderId"]: each["status"] for each in listed}
    assert ["COMPLETED"] * 3 == [outcomes[f"r-{n}"] for n in range(1, 4)]
    assert "CANCELLED" == outcomes["bad"]
    assert "no dead letters" in letters.lower()
    assert 0 == audit.returncode, audit.stdout
    assert all(each["report"]["shards"] for each in reports)
