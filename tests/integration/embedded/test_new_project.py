"""`order-sagas new` writes a project whose tests, simulation and system run at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, ROOT, Started

pytestmark = pytest.mark.processes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, in whose folder the commands run, without any variable of ours."""
    for variable in [name for name in os.environ if name.startswith(("ORDER_SAGAS_", "PYTEST_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    run(*COMMAND, "new", "travel")
    monkeypatch.chdir(tmp_path / "travel")
    return tmp_path / "travel"


def run(*command: object) -> str:
    """Run a command in the working directory; return what it printed."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=300
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_its_tests_and_its_simulation_pass(project: Path) -> None:
    """With pytest alone, and with the command that its README names."""
    tested = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    simulated = run(*COMMAND, "simulate", "--seeds", 10, "--orders", 5, "--jobs", 1)

    assert "13 passed" in tested
    assert "No rule was broken." in simulated


def test_it_is_right_in_types(project: Path) -> None:
    """Under mypy's strict rules, except that its tests have no annotations."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "travel"], capture_output=True, text=True
    )

    assert 0 == done.returncode, done.stdout


def test_it_runs(project: Path) -> None:
    """Without a flag: its file of settings names the app."""
    with Started(project, os.environ, "--workers", 1) as system:
        bookings = [{"orderId": "B-1", "nights": 2}, {"orderId": "B-2", "nights": 400}]
        (project / "bookings.jsonl").write_text("\n".join(map(json.dumps, bookings)))
        told = json.loads(
            run(*COMMAND, "sagas", "start", "book-room", "--file", "bookings.jsonl",
                "--wait", "--json")
        )  # fmt: skip
        run(*COMMAND, "audit", "--ended")

        assert 0 == system.stop(), system.said
    assert [
        {"status": "COMPLETED", "reason": "", "sagas": 1},
        {"status": "CANCELLED", "reason": "no_room", "sagas": 1},
    ] == told["outcomes"]
    assert (project / "travel.db").exists()
