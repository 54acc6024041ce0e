"""The supervisor: starts the workers, starts those again that die, and gives up loudly."""

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage

from actors.sagas.retry import Retry
from system.supervision.http import HttpProcess
from system.supervision.messages import (
    AskStatus,
    Finished,
    RunHttp,
    Shutdown,
    Status,
    Supervise,
    Work,
    WorkerStatus,
)
from system.supervision.worker import Worker, die_with_the_run, failure_of

NAME = "order-sagas-supervisor"
"""The global name by which another process finds it."""
RESTARTS = Retry(attempts=5, backoff=0.5, factor=2.0, longest=10.0, jitter=0.0)
"""A worker that dies as often as this without a quiet minute in between is given up."""
QUIET = timedelta(minutes=1)
ANSWER_WITHIN = timedelta(seconds=2)


@attrs.define
class _Hired:
    work: Work | RunHttp
    address: ActorAddress | None
    """None while it is dead."""
    deaths: int = 0
    restarts: int = 0
    status: WorkerStatus | None = None


@attrs.frozen
class _StartAgain:
    number: int


@attrs.frozen
class _WasQuiet:
    number: int
    restarts: int


@attrs.frozen
class _AnswerNow:
    question: int


class Supervisor(Actor):
    """One for each run; its children are the workers, and the process that serves HTTP, if any."""

    def __init__(self) -> None:
        super().__init__()
        self._workers: dict[int, _Hired] = {}
        self._asking: list[ActorAddress] = []
        self._answers = 0
        self._questions = 0
        self._ending: ActorAddress | None = None
        self._finished: list[bool] = []
        self._ended = False
        self._last_error = ""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case Supervise():
                self._hire(message)
            case ChildActorExited():
                self._died(message.childAddress)
            case AskStatus():
                self._ask(sender)
            case WorkerStatus():
                self._note(message)
            case Shutdown():
                self._end(sender)
            case Finished():
                self._finished.append(message.clean)
                self._look_for_the_end()
            case WakeupMessage(payload=_StartAgain(number=number)):
                self._start_again(number)
            case WakeupMessage(payload=_WasQuiet(number=number, restarts=restarts)):
                if self._workers[number].restarts == restarts:
                    self._workers[number].deaths = 0
            case WakeupMessage(payload=_AnswerNow(question=question)):
                if question == self._questions:
                    self._answer()
            case ActorExitRequest():
                pass

    def _hire(self, order: Supervise) -> None:
        self._order = order
        apart = os.getpgrp() != os.getpgid(order.parent)
        die_with_the_run(order.folder, with_group=apart)
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_IGN)  # the first process hears them
        for number in range(order.workers):
            # Kafka assigns shards itself; those of the embedded log are divided here, for good.
            shards = (
                None
                if order.settings.kafka or order.workers == 1
                else frozenset(range(number, order.settings.partitions, order.workers))
            )
            name = f"{order.names}{number}"
            work = Work(order.settings, number, shards, order.folder, name)
            self._workers[number] = _Hired(work, self._start(work))
        if order.settings.http:
            http = RunHttp(order.settings, order.workers, order.folder)
            self._workers[http.number] = _Hired(http, self._start(http))

    def _start(self, work: Work | RunHttp) -> ActorAddress:
        address = self.createActor(Worker if isinstance(work, Work) else HttpProcess)
        self.send(address, work)
        return address

    def _died(self, address: ActorAddress) -> None:
        for number, hired in self._workers.items():
            if hired.address is None or hired.address != address:
                continue
            hired.address = None
            if self._ending is not None:
                self._look_for_the_end()
                return
            note = failure_of(self._order.folder, number)
            why = note.read_text() if note.exists() else "it was killed"
            note.unlink(missing_ok=True)
            name = f"worker {number}" if isinstance(hired.work, Work) else "HTTP"
            self._last_error = f"{name}: {why}"
            hired.deaths += 1
            hired.status = None
            wait = RESTARTS.wait_after(hired.deaths, str(number))
            if wait is None:
                self._give_up()
            else:
                self.wakeupAfter(timedelta(seconds=wait), _StartAgain(number))

    def _start_again(self, number: int) -> None:
        if self._ending is not None:
            return
        hired = self._workers[number]
        hired.restarts += 1
        if isinstance(hired.work, RunHttp):
            hired.work = attrs.evolve(hired.work, restarts=hired.restarts)
        hired.address = self._start(hired.work)
        self.wakeupAfter(QUIET, _WasQuiet(number, hired.restarts))

    def _give_up(self) -> None:
        """Tell the process that people watch; it stops the run."""
        gave_up_of(self._order.folder).write_text(self._last_error)
        os.kill(self._order.parent, signal.SIGUSR1)

    def _ask(self, sender: ActorAddress) -> None:
        self._asking.append(sender)
        self._questions += 1
        self._answers = 0
        for hired in self._working():
            if hired.address is None:
                self._answers += 1
            else:
                self.send(hired.address, AskStatus())
        self.wakeupAfter(ANSWER_WITHIN, _AnswerNow(self._questions))

    def _note(self, status: WorkerStatus) -> None:
        hired = self._workers[status.number]
        hired.status = attrs.evolve(status, restarts=hired.restarts)
        self._answers += 1
        if self._answers == len(self._working()):
            self._answer()

    def _working(self) -> list[_Hired]:
        return [hired for hired in self._workers.values() if isinstance(hired.work, Work)]

    def _answer(self) -> None:
        statuses = [
            hired.status or WorkerStatus(hired.work.number, 0, hired.restarts)
            for hired in self._working()
        ]
        asking, self._asking = self._asking, []
        for each in asking:
            self.send(each, Status(statuses, self._last_error))

    def _end(self, sender: ActorAddress) -> None:
        self._ending = sender
        for hired in self._workers.values():
            if hired.address is not None:
                self.send(hired.address, Shutdown())
        self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        """Answer once nobody who could is still to say that it has finished."""
        living = sum(hired.address is not None for hired in self._workers.values())
        if len(self._finished) < living or self._ending is None or self._ended:
            return
        self._ended = True
        self.send(self._ending, Finished(all(self._finished)))


def gave_up_of(folder: str) -> Path:
    """Where the supervisor writes why it gave up."""
    return Path(folder) / "supervisor.failure"
