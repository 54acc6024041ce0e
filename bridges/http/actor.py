"""The actor that takes orders over HTTP: those that wait are stored in one transaction."""

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

from actors.messages import OrderCreated
from actors.sagas.retry import Retry
from bridges.errors import BridgeError
from bridges.intake import CHUNK, Intake, Verdict
from bridges.record_log import RecordLog

_log = structlog.get_logger(__name__)

RECONNECT = Retry(attempts=sys.maxsize, backoff=0.25, factor=2.0, longest=5.0, jitter=0.5)
"""Pauses between attempts to open a log that is away: at least half of 5 s in a long outage."""

Answer = tuple[int, Verdict | Exception]
"""What became of the order of a ticket."""
Open = Callable[[], RecordLog]


def on_a_thread(call: Callable[[], Any]) -> "Future[Any]":
    """Call it on a thread of its own: to find that a server is away may take many seconds.

    The thread is a daemon: a process that stops does not wait for a server that does not answer.
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
class ServeHttp:
    """The first message to an HttpBridge."""

    open_log: Open
    """Raises BridgeError while the log is away."""
    answer: Callable[[Sequence[Answer]], None]
    """Called on the loop's thread with what became of orders."""
    flush: Callable[[], None]
    tell: Callable[[Any], None]
    """Sends the actor a message, from any thread."""
    background: Callable[[Callable[[], Any]], "Future[Any]"] = on_a_thread
    """Opens logs, and closes those that have failed."""
    seed: str = attrs.field(factory=_this_process)
    """Of the jitter: processes that lost one server do not all come back at once."""


@attrs.frozen
class TakeOrder:
    """Take this order; `client_key` is empty for none. Answered with its ticket."""

    ticket: int
    order: OrderCreated
    client_key: str = ""


@attrs.frozen
class TakeWaiting:
    """To itself: take the orders that have come by now."""


@attrs.frozen
class AskWhetherOpen:
    """Is the log open? Answered by `TakesOrders`, once the first attempt to open it is over."""


@attrs.frozen
class TakesOrders:
    """`problem` is empty if orders are taken."""

    problem: str = ""


@attrs.frozen(eq=False)
class _Opened:
    """To itself: an attempt to open the log is over."""

    attempt: "Future[RecordLog]"


@attrs.frozen
class _OpenAgain:
    """To itself, after a pause: try to open the log once more."""


class HttpBridge(Actor):
    """Takes orders in groups: those that come while one group is committed are the next group.

    An order is answered after its commit, never before.

    A log that fails is closed and opened again: once immediately, since a server that was only
    restarted is back, then with pauses of RECONNECT until a group is stored. There is never more
    than one attempt, or one timer for the next, however many requests come meanwhile. Orders wait
    for the immediate attempt; during the rest of an outage they are refused at once.
    """

    _serve: ServeHttp

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[TakeOrder] = []
        self._asked = False
        self._log: RecordLog | None = None
        self._intake: Intake
        self._attempt: Future[RecordLog] | None = None
        """The attempt to open the log that is under way."""
        self._failures = 0
        """How often the log has failed since a group was stored."""
        self._error: Exception | None = None
        """Why no orders are taken; None if they are, and until that is known."""
        self._asking: list[ActorAddress] = []

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case TakeOrder():
                self._waiting.append(message)
                self._ask()
            case TakeWaiting():
                self._asked = False
                self._take_waiting()
            case ServeHttp():
                self._serve = message
                self._open()
            case AskWhetherOpen():
                self._asking.append(sender)
                self._say_whether_open()
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
            self.send(self.myAddress, TakeWaiting())

    def _take_waiting(self) -> None:
        if self._log is None and self._error is None:
            return  # the log is being opened: they are taken after that
        group = self._waiting[:CHUNK]
        del self._waiting[:CHUNK]
        answers = self._refused(group) if self._log is None else self._take(self._log, group)
        self._serve.flush()
        self._serve.answer(answers)
        self._ask()

    def _refused(self, group: list[TakeOrder]) -> list[Answer]:
        assert self._error is not None
        return [(take.ticket, self._error) for take in group]

    def _take(self, log: RecordLog, group: list[TakeOrder]) -> list[Answer]:
        try:
            verdicts = self._intake.take([t.order for t in group], [t.client_key for t in group])
        except BridgeError as error:
            _log.warning("http.orders_not_taken", count=len(group), error=str(error))
            self._lost(log, error)
            return [(take.ticket, error) for take in group]
        except Exception as error:
            _log.exception("http.orders_not_taken", count=len(group))
            return [(take.ticket, error) for take in group]
        if log.left:
            # They are stored, and are sent by the log when it is opened anew.
            self._lost(log, BridgeError(f"{log.left} records wait to be acknowledged by Kafka"))
        else:
            self._failures = 0
        return [(take.ticket, v) for take, v in zip(group, verdicts, strict=True)]

    # --- the log ------------------------------------------------------------------------------

    def _lost(self, log: RecordLog, error: Exception) -> None:
        """The open log has failed: close it, and open it again, at once if that is the first."""
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

    def _opened(self, attempt: "Future[RecordLog]") -> None:
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
        self._say_whether_open()
        self._ask()

    def _open_later(self) -> None:
        wait = RECONNECT.wait_after(max(1, self._failures - 1), self._serve.seed)
        assert wait is not None
        self.wakeupAfter(timedelta(seconds=wait), _OpenAgain())

    def _say_whether_open(self) -> None:
        if self._log is None and self._error is None:
            return
        asking, self._asking = self._asking, []
        for each in asking:
            self.send(each, TakesOrders(str(self._error or "")))


def _close_opened(attempt: "Future[RecordLog]") -> None:
    """Close a log that was opened for an actor that is gone."""
    if attempt.exception() is None:
        attempt.result().__exit__(None, None, None)
