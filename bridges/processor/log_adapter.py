"""What a bridge is, and what each kind of log does its own way."""

from collections.abc import Callable, Sequence
from typing import Any

from thespian.actors import Actor, ActorAddress

from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import NO_BATCH, Ack
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.order_mark import OrderMark
from order_sagas.bridges.processor.outcome_queue import OutcomeQueue
from order_sagas.bridges.processor.owed_calls import OwedCalls
from order_sagas.bridges.processor.pruner import Pruner
from order_sagas.bridges.processor.rates import Rates
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import Route

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds before something is tried again: at first, and at most."""


class Counts:
    """What a bridge did since it started."""

    __slots__ = ("begun", "dead_letters", "ended", "last_error", "records", "since", "stale_acks")

    def __init__(self) -> None:
        self.records = self.begun = self.ended = self.dead_letters = self.stale_acks = 0
        self.since = 0.0
        self.last_error = ""


class LogSide(Actor):
    """The state of a bridge, and the methods that one to another log overrides."""

    _world: ProcessorContext
    _give_up: Callable[[BaseException], None]
    _calls: ExternalCalls
    _owed: OwedCalls
    asks_for_pauses = False
    """Whether nobody tells of pauses, so that it has to look for itself."""

    def __init__(self) -> None:
        super().__init__()
        self._receivers: dict[str, ActorAddress] = {}
        self._absent: dict[str, str] = {}
        """Receivers for whom records are left in the log, each with its role."""
        self._epochs: dict[int, int] = {}
        """The shards that are ours, each with the epoch in which it was claimed."""
        self._batch: Batch | None = None
        self._batches = 0
        self._last_stale = NO_BATCH
        """The newest batch for which a stale acknowledgement was logged."""
        self._closed = False
        """Whether the batch has all its answers and waits for the database."""
        self._early: dict[str, list[Ack]] = {}
        """What timers did while a batch was under way, by saga: the next batch takes it."""
        self._outcomes = OutcomeQueue()
        self._in_flight: dict[str, ActorAddress | int] = {}
        """Every saga in flight: its address, or the number of its restore until it has answered."""
        self._restores = 0
        self._proceeding = False
        self._stopping: list[ActorAddress] = []
        self._draining: bool | None = None
        """Whether the stop waits for calls that run; None before there is a stop."""
        self._wait = FIRST_WAIT
        self._lost = 0
        """Batches that were lost to another worker's claim since the last one that was stored."""
        self._counts = Counts()
        self._rates = Rates(0.0, 0, 0)
        self._pruner: Pruner | None = None
        self._prune_due = False
        self._mark: OrderMark | None = None
        self._away = False
        """Whether the batch was broken off, and its actors wait to be restored."""

    def _proceed_soon(self) -> None:
        """Have the bridge proceed after the messages that already wait in its mailbox."""
        raise NotImplementedError

    def open_log(self) -> None:
        """The world is there: own shards, and start to be told of records."""
        raise NotImplementedError

    def close_log(self) -> None:
        """Nothing is under way any more: let go of the log."""

    def take(self, batch: Batch, limit: int) -> Sequence[Record]:
        """The next records, at most `limit`, with their offsets noted in the batch."""
        raise NotImplementedError

    @property
    def selective(self) -> bool:
        """Whether records may be for some only of the receivers that their routes name."""
        return False

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Which of its routes a record takes in this batch. It has no message if it is unreadable.

        Called for each record while the log is `selective`.
        """
        return routes

    def leave(
        self, batch: Batch, outgoing: Outgoing, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Leave an output for those in `_absent` that it is for; answers the other routes."""
        return routes

    def elsewhere(self, item: Item) -> bytes | None:
        """The key by which to send a record on, if another worker owns what it is about."""
        return None

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Note a record to be written; answers whether this batch handles it too."""
        raise NotImplementedError

    def committed(self, batch: Batch, outbox: list[int]) -> None:
        """The batch is stored; `outbox` are the ids its outgoing records got."""

    def given_back(self, batch: Batch) -> None:
        """The batch is over, stored or not: its records are out of our hands."""

    def between_batches(self) -> None:
        """No batch is open: the moment to take over shards, or to give them up."""

    @property
    def untidy(self) -> bool:
        """Whether there is something to store though nothing happened."""
        return False

    def rolled_back(self) -> None:
        """No shard is ours: claim them again, and read on from what is stored."""
        raise NotImplementedError

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """A message that only one kind of bridge knows."""
