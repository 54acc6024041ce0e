"""A run with several workers, as the process sees it that people start and stop."""

import os
import signal
import socket
from collections.abc import Callable
from datetime import timedelta

import attrs
from thespian.actors import ActorSystem

from system.settings import Settings
from system.supervision.messages import Finished, Shutdown, Supervise
from system.supervision.runs import own_run, remove_card, write_card
from system.supervision.supervisor import NAME, Supervisor, gave_up_of
from system.telemetry.setup import metrics_of_run

STOP_WITHIN = timedelta(seconds=70)
BREAK_OFF_WITHIN = timedelta(seconds=15)
"""How long workers that still live get when others could not be kept running."""
QUIET_LOGS = {"version": 1, "disable_existing_loggers": False}
"""Thespian's own logging: nothing is added to ours."""


@attrs.frozen
class Outcome:
    """How a run ended; `failure` says why it could not go on, if it could not."""

    clean: bool
    failure: str = ""


def run_supervised(
    settings: Settings, workers: int, started: Callable[[], None], wait: Callable[[], str]
) -> Outcome:
    """Run until `wait` returns: the name of a signal, or nothing when the supervisor gave up.

    The supervisor says so with SIGUSR1, which `wait` has to hear. If this process is killed, the
    workers end by themselves.
    """
    with own_run(settings) as run:
        for note in (*run.folder.glob("*.failure"), *run.folder.glob("*.metrics")):
            note.unlink()
        port = _free_port()
        actors = ActorSystem(
            "multiprocTCPBase", {"Admin Port": port}, logDefs=QUIET_LOGS, transientUnique=True
        )
        folder, names = str(run.folder), f"{run.number}-" if run.number > 1 else ""
        try:
            supervisor = actors.createActor(Supervisor, globalName=NAME)
            actors.tell(supervisor, Supervise(settings, workers, os.getpid(), folder, names))
            write_card(run, settings, port)
            with metrics_of_run(settings, run.folder):
                started()
                asked = wait()
            patience = STOP_WITHIN if asked else BREAK_OFF_WITHIN
            answer = actors.ask(supervisor, Shutdown(), patience)
        finally:
            remove_card(run)  # who asked where nobody answers would start Thespian there
            actors.shutdown()
        gave_up = gave_up_of(folder)
        failure = gave_up.read_text() if gave_up.exists() else ""
    return Outcome(isinstance(answer, Finished) and answer.clean, failure)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


GAVE_UP = signal.SIGUSR1
"""What the supervisor sends the process that started the run."""
