"""The actor that owns one child process: it starts it, queries it, and reports its end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import attrs
from thespian.actors import Actor, ActorAddress, ActorExitRequest, WakeupMessage

from order_sagas.system.supervision.child_process import ChildProcess
from order_sagas.system.supervision.messages import (
    AskMetrics,
    AskStatus,
    ChildMetrics,
    ChildStatus,
    Failed,
    Finished,
    RunHttp,
    RunWorker,
    Shutdown,
    Started,
)

ANSWER_WITHIN = timedelta(seconds=2)
"""Time for a child to answer a request; after that it is reported as not answering."""

Post = Callable[[ActorAddress, Any], None]
"""Sends a message to an actor. Safe in any thread."""


@attrs.frozen
class StartProcess:
    """The first message, from the supervisor. `lock` is the descriptor of the run's lock."""

    name: str
    first: RunWorker | RunHttp = attrs.field(repr=False)
    lock: int
    post: Post


@attrs.frozen
class ProcessStatus:
    """To the supervisor, for each `AskStatus`; `answer` is None unless `state` is "running"."""

    number: int
    pid: int
    state: Literal["starting", "running", "not answering"]
    answer: ChildStatus | None = None


@attrs.frozen
class ProcessMetrics:
    """To the supervisor, for each `AskMetrics`; `text` is None if it did not answer in time."""

    number: int
    text: str | None


@attrs.frozen
class ProcessEnded:
    """To the supervisor, last: the process has exited, and this actor exits."""

    number: int
    reason: str
    clean: bool
    """True if it had no open batch, or has committed it."""
    outage: bool = False
    """True if it ended because the database is unavailable."""


@attrs.frozen
class _Received:
    message: Any


@attrs.frozen
class _Ended:
    how: str


@attrs.frozen
class _Overdue:
    kind: type
    question: int


class WorkerProcess(Actor):
    """Owns one child process from its start to its end, and exits after it.

    A request that the child has not answered is not sent a second time, so that a hanging child
    does not fill its channel. If the actor is asked to exit, the child is killed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._child: ChildProcess | None = None
        self._running = False
        self._reason = ""
        self._outage = False
        self._clean: bool | None = None
        self._questions = 0
        self._sent: set[type] = set()
        """Kinds of requests that the child has not answered yet."""
        self._waiting: dict[type, int] = {}
        """Kinds of requests that the supervisor waits for, with the number of the last one."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message of the supervisor or the child, or a timer."""
        match message:
            case StartProcess():
                self._supervisor = sender
                self._start(message)
            case AskStatus() | AskMetrics():
                self._ask(message)
            case Shutdown() if self._child:
                self._child.send(message)
            case _Received():
                self._received(message.message)
            case WakeupMessage(payload=_Overdue(kind=kind, question=question)):
                if self._waiting.get(kind) == question:
                    self._answer(kind, None)
            case _Ended():
                self._ended(message.how)
            case ActorExitRequest() if self._child:
                self._child.kill()

    def _start(self, order: StartProcess) -> None:
        self._number = order.first.number
        post, here = order.post, self.myAddress
        try:
            self._child = ChildProcess(
                order.name,
                order.lock,
                order.first,
                lambda message: post(here, _Received(message)),
                lambda how: post(here, _Ended(how)),
            )
        except OSError as error:
            self._ended(f"it could not be started: {error}")

    def _ask(self, question: AskStatus | AskMetrics) -> None:
        kind = type(question)
        if self._child is None or not self._running:
            self._answer(kind, None)
            return
        if kind not in self._sent:
            self._sent.add(kind)
            self._child.send(question)
        self._questions += 1
        self._waiting[kind] = self._questions
        self.wakeupAfter(ANSWER_WITHIN, _Overdue(kind, self._questions))

    def _received(self, message: Any) -> None:
        match message:
            case Started():
                self._running = True
            case ChildStatus():
                self._sent.discard(AskStatus)
                if AskStatus in self._waiting:
                    self._answer(AskStatus, message)
            case ChildMetrics(text=text):
                self._sent.discard(AskMetrics)
                if AskMetrics in self._waiting:
                    self._answer(AskMetrics, text)
            case Failed(reason=reason, outage=outage):
                self._reason, self._outage = reason, outage
            case Finished(clean=clean):
                self._clean = clean

    def _answer(self, kind: type, answer: Any) -> None:
        self._waiting.pop(kind, None)
        if kind is AskMetrics:
            self.send(self._supervisor, ProcessMetrics(self._number, answer))
            return
        pid = self._child.pid if self._child else 0
        if answer is not None and answer.report is not None:
            status = ProcessStatus(self._number, pid, "running", answer)
        else:
            state: Literal["starting", "not answering"]
            state = "not answering" if self._running else "starting"
            status = ProcessStatus(self._number, pid, state)
        self.send(self._supervisor, status)

    def _ended(self, how: str) -> None:
        # A child that never ran had no open batch.
        clean = self._clean if self._clean is not None else not self._running
        self._child = None
        end = ProcessEnded(self._number, self._reason or how, clean, self._outage)
        self.send(self._supervisor, end)
        self.send(self.myAddress, ActorExitRequest())
