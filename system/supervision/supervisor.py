"""The supervisor: starts the child processes, restarts them when they die, and stops them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import msgspec
from thespian.actors import Actor, ActorAddress, PoisonMessage, WakeupMessage

from order_sagas.actors.sagas.retry import Retry
from order_sagas.system.settings import Settings
from order_sagas.system.supervision.messages import (
    AskMetrics,
    AskStatus,
    RunHttp,
    RunWorker,
    Shutdown,
    Status,
    WorkerStatus,
    run_http,
    run_worker,
)
from order_sagas.system.supervision.worker_process import (
    Post,
    ProcessEnded,
    ProcessMetrics,
    ProcessStatus,
    StartProcess,
    WorkerProcess,
)

RESTARTS = Retry(attempts=5, backoff=0.5, factor=2.0, longest=10.0, jitter=0.0)
"""Restarts are delayed by this backoff. After the fifth death within `QUIET` the run ends, unless
the database is unavailable: then restarts continue until it is available."""
QUIET = timedelta(minutes=1)
"""Time without a death after which the deaths of a process are counted from zero again."""


@attrs.frozen
class Supervise:
    """First message: start this many workers, and the HTTP process if the settings name it."""

    settings: Settings
    workers: int
    names: str
    """Prefix of the workers' numbers in the names of their log files."""
    lock: int
    """The descriptor of the run's lock, which every process of the run keeps open."""
    post: Post
    gave_up: Callable[[str], None]
    """Called with the reason when a process keeps failing; the caller then stops the run."""


@attrs.frozen
class StopRun:
    """Stop every process; answered by `RunEnded` when all of them have exited."""


@attrs.frozen
class RunEnded:
    """The answer to `StopRun`."""

    clean: bool
    """True if every open batch was committed."""


@attrs.frozen
class RunMetrics:
    """The answer to `AskMetrics`: metrics in Prometheus's text format, or None, by worker."""

    texts: dict[int, str | None]


@attrs.define
class _Process:
    name: str
    first: RunWorker | RunHttp
    actor: ActorAddress | None = None
    """None while the process does not run."""
    deaths: int = 0
    """Deaths since it last ran for `QUIET`."""
    restarts: int = 0


@attrs.define
class _Round:
    """A request to all workers; requests of the same kind meanwhile get the same answer."""

    waiting: set[int]
    asked_by: list[ActorAddress]
    answers: dict[int, Any] = attrs.Factory(dict)


@attrs.frozen
class _StartAgain:
    number: int


@attrs.frozen
class _WasQuiet:
    number: int
    restarts: int


class Supervisor(Actor):
    """The supervisor of a run, in its first process. Its children are `WorkerProcess` actors."""

    def __init__(self) -> None:
        super().__init__()
        self._processes: dict[int, _Process] = {}
        self._rounds: dict[type, _Round] = {}
        self._stop_asked_by: ActorAddress | None = None
        self._clean = True
        self._last_error = ""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message of the run, of a `WorkerProcess`, or a timer."""
        match message:
            case Supervise():
                self._start_all(message)
            case ProcessEnded():
                self._ended(message)
            case AskStatus() | AskMetrics():
                self._ask(message, sender)
            case ProcessStatus():
                self._answered(AskStatus, message.number, message)
            case ProcessMetrics():
                self._answered(AskMetrics, message.number, message.text)
            case StopRun():
                self._stop(sender)
            case PoisonMessage():
                # End the run: a process may not be supervised any more.
                self._order.gave_up(f"a fault of the supervision itself:\n{message.details}")
            case WakeupMessage(payload=_StartAgain(number=number)):
                self._start_again(self._processes[number])
            case WakeupMessage(payload=_WasQuiet(number=number, restarts=restarts)):
                if self._processes[number].restarts == restarts:
                    self._processes[number].deaths = 0

    # --- starting and restarting --------------------------------------------------------------

    def _start_all(self, order: Supervise) -> None:
        self._order = order
        settings = order.settings
        for number in range(order.workers):
            # Kafka assigns shards; those of the embedded log are divided here, for the whole run.
            shards = (
                None
                if settings.kafka or order.workers == 1
                else frozenset(range(number, settings.partitions, order.workers))
            )
            first = run_worker(settings, number, f"{order.names}{number}", shards)
            self._processes[number] = _Process(f"worker {number}", first)
        if settings.http:
            self._processes[order.workers] = _Process("HTTP", run_http(settings, order.workers))
        for process in self._processes.values():
            self._start(process)

    def _start(self, process: _Process) -> None:
        process.actor = self.createActor(WorkerProcess)
        order = StartProcess(process.name, process.first, self._order.lock, self._order.post)
        self.send(process.actor, order)

    def _ended(self, end: ProcessEnded) -> None:
        process = self._processes[end.number]
        process.actor = None
        for kind in list(self._rounds):
            self._answered(kind, end.number, None)
        if self._stop_asked_by is not None:
            self._clean = self._clean and end.clean
            self._answer_stop()
            return
        self._last_error = f"{process.name}: {end.reason}"
        process.deaths += 1
        if end.outage:  # it may last: these deaths do not end the run
            process.deaths = min(process.deaths, RESTARTS.attempts - 1)
        wait = RESTARTS.wait_after(process.deaths, str(end.number))
        if wait is None:
            self._order.gave_up(self._last_error)
        else:
            self.wakeupAfter(timedelta(seconds=wait), _StartAgain(end.number))

    def _start_again(self, process: _Process) -> None:
        if self._stop_asked_by is not None:
            return
        process.restarts += 1
        if isinstance(process.first, RunHttp):
            process.first = msgspec.structs.replace(process.first, restarts=process.restarts)
        self._start(process)
        self.wakeupAfter(QUIET, _WasQuiet(process.first.number, process.restarts))

    # --- questions ----------------------------------------------------------------------------

    def _ask(self, question: AskStatus | AskMetrics, sender: ActorAddress) -> None:
        kind = type(question)
        if kind in self._rounds:
            self._rounds[kind].asked_by.append(sender)
            return
        actors = {
            number: process.actor
            for number, process in self._workers().items()
            if process.actor is not None
        }
        self._rounds[kind] = _Round({*actors}, [sender])
        for actor in actors.values():
            self.send(actor, question)
        self._look_at(kind)

    def _answered(self, kind: type, number: int, answer: Any) -> None:
        question = self._rounds.get(kind)
        if question is not None and number in question.waiting:
            question.waiting.remove(number)
            question.answers[number] = answer
            self._look_at(kind)

    def _look_at(self, kind: type) -> None:
        """Answer the requests when every worker, or its actor in its place, has answered."""
        if self._rounds[kind].waiting:
            return
        question = self._rounds.pop(kind)
        answer: Status | RunMetrics
        if kind is AskStatus:
            answer = self._status(question.answers)
        else:
            answer = RunMetrics(
                {number: question.answers.get(number) for number in self._workers()}
            )
        for each in question.asked_by:
            self.send(each, answer)

    def _status(self, answers: dict[int, ProcessStatus | None]) -> Status:
        statuses = []
        for number, process in self._workers().items():
            found = answers.get(number)
            if found is None:
                statuses.append(WorkerStatus(number, 0, process.restarts, "restarting"))
                continue
            status = WorkerStatus(number, found.pid, process.restarts, found.state)
            if found.answer is not None:
                answer = found.answer
                status = msgspec.structs.replace(
                    status,
                    report=answer.report,
                    cpu=answer.cpu,
                    log_lines_lost=answer.log_lines_lost,
                )
            statuses.append(status)
        return Status(statuses, self._last_error)

    def _workers(self) -> dict[int, _Process]:
        return {
            number: process
            for number, process in self._processes.items()
            if isinstance(process.first, RunWorker)
        }

    # --- stopping -----------------------------------------------------------------------------

    def _stop(self, sender: ActorAddress) -> None:
        self._stop_asked_by = sender
        for process in self._processes.values():
            if process.actor is not None:
                self.send(process.actor, Shutdown())
        self._answer_stop()

    def _answer_stop(self) -> None:
        if self._stop_asked_by is not None and all(
            process.actor is None for process in self._processes.values()
        ):
            self.send(self._stop_asked_by, RunEnded(self._clean))
