"""`order-sagas demo`, as `make demo` runs it."""

import re
import shlex
import subprocess

import pytest

from order_sagas.system.demo import figures_of, run_demo
from tests.support.cli import COMMAND, environment, order_sagas

pytestmark = pytest.mark.processes


def test_the_same_seed_gives_the_same_counts(tmp_path):
    """Although the timers of the silent services fire whenever they do."""
    counts = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        (tmp_path / name).mkdir()
        demo = run_demo(tmp_path / name, 300, seed, lambda _: None)
        counts.append(figures_of(demo.settings.database).counts())

    assert counts[0] == counts[1]
    assert counts[0] != counts[2]
    assert [300] * 3 == [sum(each.values()) for each in counts]
    assert {"card_declined", "out_of_stock", "timed_out", "completed"} <= {*counts[0]}


def test_a_demo_in_a_pipe_is_plain_text_and_its_suggestions_work(tmp_path):
    """Each of them is run as it stands, from the directory where the demo was run."""
    env = environment(tmp_path)
    shown = subprocess.run(
        [*COMMAND, "demo", "--orders", "200"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip

    assert "\x1b" not in shown.stdout
    for word in ("completed", "cancelled", "compensations run", "timeouts", "retries", "p99"):
        assert word in shown.stdout
    suggestions = re.findall(r"^  order-sagas (.+)$", shown.stdout, re.M)
    assert 3 == len(suggestions)
    for suggestion in suggestions:
        result = subprocess.run(
            [*COMMAND, *shlex.split(suggestion)],
            env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert 0 == result.returncode, result.stderr
        assert "DEMO-" in result.stdout


def test_a_demo_replaces_an_earlier_one_and_nothing_else(tmp_path):
    """A directory of the user's own is not emptied for it."""
    env = environment(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("all my work")
    refused = order_sagas("demo", "--orders", 5, "--keep", mine, env=env)
    first = order_sagas("demo", "--orders", 5, "--keep", tmp_path / "demo", env=env)
    second = order_sagas("demo", "--orders", 5, "--keep", tmp_path / "demo", env=env)

    assert (2, 0, 0) == (refused.returncode, first.returncode, second.returncode)
    assert "thesis.txt" in refused.stderr
    assert "all my work" == (mine / "thesis.txt").read_text()
