"""A project made by `order-sagas new` runs with the commands of its README."""

import re
import shlex

import pytest

from tests.support.cli import Started, environment, number, order_sagas
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


def test_the_commands_of_the_readme_run_its_saga(tmp_path, monkeypatch):
    """It is simulated, and run by two workers; its settings file names the app."""
    env = environment(tmp_path, workers=2, log_dir=tmp_path / "logs")
    assert 0 == order_sagas("new", "travel", "--into", tmp_path, env=env).returncode
    project = tmp_path / "travel"
    monkeypatch.chdir(project)
    named = re.findall(r"^order-sagas (.+)$", (project / "README.md").read_text(), re.MULTILINE)
    (simulate, start, *commands) = map(shlex.split, named)
    assert ["simulate", "start"] == [simulate[0], *start]
    assert 0 == order_sagas(*simulate, "--seeds", 2, env=env).returncode
    ended = "SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL"

    with Started(tmp_path, env) as system:
        for command in commands:
            done = order_sagas(*command, env=env)
            assert 0 == done.returncode, done.stderr
            wait_until(lambda: number(ended, env), "the saga to end")
        audit = order_sagas("audit", "--ended", "--json", env=env)

        assert 0 == system.stop()
    assert "completed" in done.stdout
    assert 0 == audit.returncode, audit.stdout
    assert "a confirmed booking is paid once" in audit.stdout
