"""A supervised run whose first process is this one."""

from pathlib import Path

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from order_sagas.system.settings import Settings
from order_sagas.system.stop_requests import StopRequests
from order_sagas.system.supervision.control_client import ask_status
from order_sagas.system.supervision.messages import WorkerStatus
from order_sagas.system.supervision.supervised_run import STOP_WITHIN, Outcome, run_supervised
from tests.support.processes import is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


class OwnRun:
    """Two workers, which are stopped once both run and `then` was called with them."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings(
            database=f"sqlite:///{directory / 'orders.db'}", log_dir=directory / "logs"
        )
        self.workers: list[psutil.Process] = []
        self.reported: list[str] = []

    def run(self, then=lambda worker: None, stop_within=STOP_WITHIN) -> Outcome:
        """Run it; return how it ended."""
        stops = StopRequests()

        def started() -> None:
            wait_until(lambda: self._states() == ["running"] * 2, "both workers to run")
            self.workers = [psutil.Process(worker.pid) for worker in self._statuses()]
            then(self.workers[0])
            stops.put("the test")

        return run_supervised(
            self.settings, 2, stops, started, self.reported.append, stop_within=stop_within
        )

    def _statuses(self) -> list[WorkerStatus]:
        return [
            worker for status in ask_status(self.settings).values() for worker in status.workers
        ]

    def _states(self) -> list[str]:
        return [worker.state for worker in self._statuses()]


def test_it_ends_when_all_its_processes_have_ended(tmp_path: Path) -> None:
    """And removes the files by which it is found."""
    run = OwnRun(tmp_path)
    outcome = run.run()

    assert Outcome(clean=True) == outcome
    assert ["the test"] == run.reported
    assert not any(map(is_alive, run.workers))
    assert {} == ask_status(run.settings)


def test_a_hanging_worker_is_killed_after_the_time_limit(tmp_path: Path) -> None:
    """The run still ends, and reports that a batch may have been dropped."""
    run = OwnRun(tmp_path)
    outcome = run.run(lambda worker: worker.suspend(), stop_within=STOP_WITHIN / 50)

    assert Outcome(clean=False) == outcome
    assert not any(map(is_alive, run.workers))
