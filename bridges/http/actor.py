"""The actor that orders come to over HTTP: it takes those that wait in one transaction."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import attrs
import structlog
from thespian.actors import Actor, ActorAddress, ActorExitRequest, WakeupMessage

from actors.messages import OrderCreated
from bridges.errors import BridgeError
from bridges.intake import CHUNK, Intake, Verdict
from bridges.record_log import RecordLog

_log = structlog.get_logger(__name__)

AGAIN = timedelta(seconds=5)
"""When records that Kafka has not acknowledged are sent once more."""

Answer = tuple[int, Verdict | Exception]
"""What became of the order of a ticket."""


@attrs.frozen
class ServeHttp:
    """The first message: where orders go, and who is told, on the loop's thread, what became of
    them."""

    open_log: Callable[[], RecordLog]
    answer: Callable[[Sequence[Answer]], None]
    flush: Callable[[], None]


@attrs.frozen
class TakeOrder:
    """Take this order; `client_key` is empty for none. Answered with its ticket."""

    ticket: int
    order: OrderCreated
    client_key: str = ""


@attrs.frozen
class TakeWaiting:
    """To itself: take those that have come by now."""


@attrs.frozen
class AskWhetherOpen:
    """Is the log open? Answered by `TakesOrders`."""


@attrs.frozen
class TakesOrders:
    """`problem` is empty if orders are taken."""

    problem: str = ""


class HttpBridge(Actor):
    """Takes orders in groups: those that come while a group is being committed are the next one.

    An order is answered after the commit, and not before.
    """

    _serve: ServeHttp
    _written_to: RecordLog | None = None
    _intake: Intake
    _problem = ""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[TakeOrder] = []
        self._asked = False

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case TakeOrder():
                self._waiting.append(message)
                self._ask()
            case TakeWaiting():
                self._asked = False
                self._take(self._waiting[:CHUNK])
                del self._waiting[:CHUNK]
                self._ask()
            case ServeHttp():
                self._serve = message
                self._open_again()
            case AskWhetherOpen():
                self.send(sender, TakesOrders(self._problem))
            case WakeupMessage():
                self._open_again()
            case ActorExitRequest():
                self._close()

    def _ask(self) -> None:
        if self._waiting and not self._asked:
            self._asked = True
            self.send(self.myAddress, TakeWaiting())

    def _take(self, group: list[TakeOrder]) -> None:
        answers: list[Answer]
        try:
            intake = self._opened()
            verdicts = intake.take([t.order for t in group], [t.client_key for t in group])
        except BridgeError as error:
            _log.warning("http.orders_not_taken", count=len(group), error=str(error))
            self._problem = str(error)
            self._close()
            self.wakeupAfter(AGAIN, "open")
            answers = [(take.ticket, error) for take in group]
        except Exception as error:
            _log.exception("http.orders_not_taken", count=len(group))
            answers = [(take.ticket, error) for take in group]
        else:
            answers = [(take.ticket, v) for take, v in zip(group, verdicts, strict=True)]
            if getattr(self._written_to, "left", 0):
                self.wakeupAfter(AGAIN, "send what is left")
        self._serve.flush()
        self._serve.answer(answers)

    def _opened(self) -> Intake:
        if self._written_to is None:
            self._open()
        return self._intake

    def _open(self) -> None:
        self._written_to = self._serve.open_log()
        self._intake = Intake(self._written_to)
        self._problem = ""

    def _open_again(self) -> None:
        """A log that is opened sends what was committed before and never acknowledged."""
        if self._written_to is not None and not getattr(self._written_to, "left", 0):
            return
        self._close()
        try:
            self._open()
        except BridgeError as error:
            self._problem = str(error)
            self.wakeupAfter(AGAIN, "open")

    def _close(self) -> None:
        log, self._written_to = self._written_to, None
        if log is not None:
            log.__exit__(None, None, None)
