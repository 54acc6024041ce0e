"""The actor that stores orders received over HTTP, in groups of one transaction each."""

import os
import platform
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import attrs
import structlog
from thespian.actors import Actor, ActorAddress, ActorExitRequest, WakeupMessage

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.sagas.retry import Retry
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.intake.intake import CHUNK, Intake, Verdict
from order_sagas.bridges.logs.log_writer import LogWriter

_log = structlog.get_logger(__name__)

RECONNECT = Retry(attempts=sys.maxsize, backoff=0.25, factor=2.0, longest=5.0, jitter=0.5)
"""Pauses between attempts to open an unavailable log. In a long outage 2.5 to 5 s, with jitter."""

Answer = tuple[int, Verdict | Exception]
"""The ticket of an order, and its verdict or the error that prevented storing it."""
Open = Callable[[], LogWriter]


def on_a_thread(call: Callable[[], Any]) -> "Future[Any]":
    """Run `call` on a new thread, as connecting to an unreachable server may block for long.

    It is a daemon thread, so that a stopping process does not wait for the server's answer.
    """
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="http-log", daemon=True).start()
    return future


def _this_process() -> str:
    return f"{platform.node()}/{os.getpid()}"


@attrs.frozen
class StartIntake:
    """The first message to an OrderIntakeActor."""

    open_log: Open
    """Opens the log. Raises BridgeError while it is unavailable."""
    answer: Callable[[Sequence[Answer]], None]
    """Called on the actor's thread with the answers of a group, after its commit."""
    flush: Callable[[], None]
    """Writes buffered log lines."""
    tell: Callable[[Any], None]
    """Sends the actor a message, from any thread."""
    background: Callable[[Callable[[], Any]], "Future[Any]"] = on_a_thread
    """Opens logs, and closes those that have failed."""
    seed: str = attrs.field(factory=_this_process)
    """Seed of the jitter, different in each process, to spread reconnects over time."""


@attrs.frozen
class StoreOrder:
    """Store this order. The answer carries the ticket.

    `client_key` is "" if there is none, `submitter` if the caller has no token.
    """

    ticket: int
    order: OrderCreated
    client_key: str = ""
    submitter: str = ""


@attrs.frozen
class StoreWaiting:
    """Sent by the actor to itself: store the orders that are waiting now."""


@attrs.frozen
class AskLogStatus:
    """Asks if the log is open. Answered with `LogStatus` after the first attempt to open it."""


@attrs.frozen
class LogStatus:
    """Answer to `AskLogStatus`. `problem` is "" if orders are accepted."""

    problem: str = ""


@attrs.frozen(eq=False)
class _Opened:
    """Sent by the actor to itself: an attempt to open the log has ended."""

    attempt: "Future[LogWriter]"


@attrs.frozen
class _OpenAgain:
    """Sent by the actor to itself after a pause: try to open the log again."""


class OrderIntakeActor(Actor):
    """Stores orders in groups: orders that arrive during a commit form the next group.

    An order is answered after the commit of its group, never before.

    A log that fails is closed and opened again: the first time immediately, since the server may
    only have restarted, then after pauses of RECONNECT until a group is stored. At most one attempt
    or one timer for the next attempt exists at a time. Orders wait for the immediate attempt;
    during the rest of the outage they are refused immediately.
    """

    _serve: StartIntake

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[StoreOrder] = []
        self._asked = False
        self._log: LogWriter | None = None
        self._intake: Intake
        self._attempt: Future[LogWriter] | None = None
        """The running attempt to open the log."""
        self._failures = 0
        """Number of failures of the log since a group was last stored."""
        self._error: Exception | None = None
        """The error for which orders are refused; None if the log is open or being opened."""
        self._asking: list[ActorAddress] = []

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Dispatch a message by its class. Other messages are ignored."""
        match message:
            case StoreOrder():
                self._waiting.append(message)
                self._ask()
            case StoreWaiting():
                self._asked = False
                self._store_waiting()
            case StartIntake():
                self._serve = message
                self._open()
            case AskLogStatus():
                self._asking.append(sender)
                self._answer_log_status()
            case _Opened(attempt=attempt) if attempt is self._attempt:
                self._opened(attempt)
            case WakeupMessage(payload=_OpenAgain()):
                self._open()
            case ActorExitRequest():
                if self._log is not None:
                    self._log.__exit__(None, None, None)
                if self._attempt is not None:
                    self._attempt.add_done_callback(_close_opened)

    # --- orders -------------------------------------------------------------------------------

    def _ask(self) -> None:
        if self._waiting and not self._asked:
            self._asked = True
            self.send(self.myAddress, StoreWaiting())

    def _store_waiting(self) -> None:
        if self._log is None and self._error is None:
            return  # the log is being opened; the orders are stored afterwards
        group = self._waiting[:CHUNK]
        del self._waiting[:CHUNK]
        answers = self._refused(group) if self._log is None else self._take(self._log, group)
        self._serve.flush()
        self._serve.answer(answers)
        self._ask()

    def _refused(self, group: list[StoreOrder]) -> list[Answer]:
        assert self._error is not None
        return [(take.ticket, self._error) for take in group]

    def _take(self, log: LogWriter, group: list[StoreOrder]) -> list[Answer]:
        try:
            verdicts = self._intake.take(
                [each.order for each in group],
                [each.client_key for each in group],
                [each.submitter for each in group],
            )
        except BridgeError as error:
            _log.warning("http.orders_not_taken", count=len(group), error=str(error))
            self._lost(log, error)
            return [(take.ticket, error) for take in group]
        except Exception as error:
            _log.exception("http.orders_not_taken", count=len(group))
            return [(take.ticket, error) for take in group]
        if log.left:
            # The orders are stored; the log publishes the records when it is opened again.
            self._lost(log, BridgeError(f"{log.left} records wait to be acknowledged by Kafka"))
        else:
            self._failures = 0
        return [(take.ticket, v) for take, v in zip(group, verdicts, strict=True)]

    # --- the log ------------------------------------------------------------------------------

    def _lost(self, log: LogWriter, error: Exception) -> None:
        """Close the failed log, and open it again: immediately after the first failure."""
        self._failures += 1
        self._log = None
        self._serve.background(lambda: log.__exit__(None, None, None))
        if self._failures == 1:
            self._open()
        else:
            self._error = error
            self._open_later()

    def _open(self) -> None:
        tell = self._serve.tell
        self._attempt = attempt = self._serve.background(self._serve.open_log)
        attempt.add_done_callback(lambda done: tell(_Opened(done)))

    def _opened(self, attempt: "Future[LogWriter]") -> None:
        self._attempt = None
        try:
            self._log = attempt.result()
            self._intake = Intake(self._log)
            self._error = None
        except Exception as error:
            level = _log.warning if isinstance(error, BridgeError) else _log.exception
            level("http.log_not_opened", attempts=self._failures, error=str(error))
            self._error = error
            self._failures += 1
            self._open_later()
        self._answer_log_status()
        self._ask()

    def _open_later(self) -> None:
        wait = RECONNECT.wait_after(max(1, self._failures - 1), self._serve.seed)
        assert wait is not None
        self.wakeupAfter(timedelta(seconds=wait), _OpenAgain())

    def _answer_log_status(self) -> None:
        if self._log is None and self._error is None:
            return
        asking, self._asking = self._asking, []
        for each in asking:
            self.send(each, LogStatus(str(self._error or "")))


def _close_opened(attempt: "Future[LogWriter]") -> None:
    """Close a log whose opening ended after the actor did."""
    if attempt.exception() is None:
        attempt.result().__exit__(None, None, None)
