"""Servers shared by all workers (pytest-xdist) of a test run, and stopped at its end.

The first worker that needs a server starts it under a lock; the process that started the run stops
it. If that process is killed, a watcher process stops the servers shortly after.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from tests.support.kafka_broker import QUICK_START, KafkaBroker
from tests.support.locks import locked
from tests.support.postgres import PostgresServer

_RUN = "ORDER_SAGAS_TEST_RUN"
"""The environment variable with the run's directory, for workers."""


def shared_broker() -> KafkaBroker:
    """Return the run's Kafka broker; the first call starts it."""
    home = run_directory() / "kafka"
    with locked(run_directory() / "kafka.lock"):
        broker = _broker_in(home)
        if not broker.is_running():
            _watch()
            broker.start()
    return broker


def shared_postgres() -> PostgresServer:
    """Return the run's PostgreSQL server; the first call starts it."""
    with locked(run_directory() / "postgres.lock"):
        server = PostgresServer(run_directory() / "postgres", durable=False)
        _watch()
        server.start()
    return server


def pytest_configure(config: pytest.Config) -> None:
    """Create the run's directory, in the process that started the run."""
    if not hasattr(config, "workerinput"):
        os.environ[_RUN] = tempfile.mkdtemp(prefix="order-sagas-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the started servers, after the last worker has finished."""
    if not hasattr(config, "workerinput") and _RUN in os.environ:
        _stop_all(Path(os.environ.pop(_RUN)))


def run_directory() -> Path:
    """Return a directory that all workers of this run share, and that is removed at its end."""
    return Path(os.environ[_RUN])


def _broker_in(home: Path) -> KafkaBroker:
    ports = home.with_suffix(".ports")
    if not ports.exists():
        broker = KafkaBroker(home)
        ports.write_text(f"{broker.port} {broker.sasl_port} {broker.controller_port}")
    port, sasl_port, controller_port = map(int, ports.read_text().split())
    return KafkaBroker(
        home,
        port=port,
        sasl_port=sasl_port,
        controller_port=controller_port,
        jvm_options=QUICK_START,
    )


def _stop_all(run: Path) -> None:
    if (run / "kafka").exists():
        _broker_in(
            run / "kafka"
        ).kill()  # its data is deleted too, so that a clean stop is unnecessary
    if (run / "postgres").exists():
        PostgresServer(run / "postgres").kill()
    shutil.rmtree(run, ignore_errors=True)


def _watch() -> None:
    """Start the watcher once. It outlives this worker and the run's first process."""
    began = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    with suppress(FileExistsError):
        (run_directory() / "watched").touch(exist_ok=False)
        command = [sys.executable, "-m", __name__, str(began), str(run_directory())]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _main(began: int, run: Path) -> None:
    with suppress(psutil.NoSuchProcess):
        psutil.Process(began).wait()
    if run.exists():
        _stop_all(run)


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]))
