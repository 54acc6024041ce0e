"""A supervised run whose first process is this one."""

from pathlib import Path
from queue import SimpleQueue

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from system.settings import Settings
from system.supervision.control_client import ask_status
from system.supervision.messages import WorkerStatus
from system.supervision.supervised_run import STOP_WITHIN, Outcome, run_supervised
from tests.support.processes import is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


class OwnRun:
    """Two workers, which are stopped as soon as both run and `then` was done to them."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings(
            database=f"sqlite:///{directory / 'orders.db'}", log_dir=directory / "logs"
        )
        self.workers: list[psutil.Process] = []
        self.said: list[str] = []

    def run(self, then=lambda worker: None, stop_within=STOP_WITHIN) -> Outcome:
        """How it ended."""
        happened: SimpleQueue[str] = SimpleQueue()

        def started() -> None:
            wait_until(lambda: self._states() == ["running"] * 2, "both workers to run")
            self.workers = [psutil.Process(worker.pid) for worker in self._statuses()]
            then(self.workers[0])
            happened.put("the test")

        return run_supervised(
            self.settings, 2, happened, started, self.said.append, stop_within=stop_within
        )

    def _statuses(self) -> list[WorkerStatus]:
        return [
            worker for status in ask_status(self.settings).values() for worker in status.workers
        ]

    def _states(self) -> list[str]:
        return [worker.state for worker in self._statuses()]


def test_it_ends_when_all_its_processes_have_ended(tmp_path: Path) -> None:
    """And leaves nothing by which it could be found."""
    run = OwnRun(tmp_path)
    outcome = run.run()

    assert Outcome(clean=True) == outcome
    assert ["the test"] == run.said
    assert not any(map(is_alive, run.workers))
    assert {} == ask_status(run.settings)


def test_a_worker_that_hangs_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    """The run ends all the same, and says that a batch may have been dropped."""
    run = OwnRun(tmp_path)
    outcome = run.run(lambda worker: worker.suspend(), stop_within=STOP_WITHIN / 50)

    assert Outcome(clean=False) == outcome
    assert not any(map(is_alive, run.workers))
