"""`order-sagas simulate`: its output, and that the commands it prints replay a run."""

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from order_sagas.system.cli.simulate import simulate_command
from order_sagas.system.harness.faults import from_json
from tests.simulation.mutations import MUTATIONS
from tests.support.cli import COMMAND, environment
from tests.support.waiting import TIMEOUT, wait_until


def simulate(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and output."""
    result: Result = CliRunner().invoke(simulate_command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value, result.output


def test_seeds_that_break_no_rule_are_counted():
    """With the number of faults in them."""
    code, said = simulate("--seeds", "4", "--orders", "10", "--jobs", "1")

    assert 0 == code
    assert "4 seeds of 10 orders, faults heavy" in said
    assert "No rule was broken." in said


def test_progress_without_a_terminal_is_written_as_lines():
    """Ten lines for a whole run, for the log of a build."""
    _, said = simulate("--seeds", "20", "--orders", "1", "--jobs", "1")

    told = [line for line in said.splitlines() if line.endswith(" of 20 seeds")]
    assert told == [f"{done} of 20 seeds" for done in range(2, 21, 2)]


def test_a_replayed_seed_gives_the_same_log():
    """Its digest is printed for comparison."""
    first, again = (simulate("--seed", "8", "--orders", "10") for _ in range(2))

    assert "Seed 8: " in first[1]
    assert first == again


def test_a_violation_is_shrunk_and_its_command_reproduces_it(monkeypatch: pytest.MonkeyPatch):
    """It prints the seed, the rule, the history of the order, and the shrunk plan."""
    tombstone = next(m for m in MUTATIONS if "refund that overtakes" in m.name)
    tombstone.put(monkeypatch)

    code, said = simulate("--seeds", "20", "--jobs", "1")

    assert 1 == code
    assert "no charge kept" in said
    assert "process payment undone" in said
    replay = shlex.split(said.rpartition("Replay it with:")[2])
    assert ["order-sagas", "simulate"] == replay[:2]
    assert 1 <= len(from_json(replay[-1])) <= 2
    again, shown = simulate(*replay[2:])
    assert 1 == again
    assert "no charge kept" in shown


@pytest.mark.processes
def test_ctrl_c_ends_all_processes_and_prints_the_result(tmp_path):
    """A terminal signals the whole process group; no process prints a traceback."""
    command = [*COMMAND, "simulate", "--seeds", "100000", "--orders", "1", "--jobs", "2"]
    running = subprocess.Popen(
        command, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: len(group_of(running.pid)) > 3, "its processes")
        os.killpg(running.pid, signal.SIGINT)
        said, problems = running.communicate(timeout=TIMEOUT)
        wait_until(lambda: not group_of(running.pid), "the end of its processes")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)

    assert (130, "") == (running.returncode, said.strip())
    assert problems.startswith("\nInterrupted. ")
    assert 2 == len(problems.splitlines())


def group_of(leader: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, group = place.joinpath("stat").read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader and state != "Z":
                found.append(int(place.name))
    return found
