"""The harness: a whole system in one process, on virtual time, with anything going wrong."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

import attrs
import msgspec
from msgspec.structs import replace
from thespian.actors import ActorAddress

from actors.entities import StockLevel
from actors.messages import (
    MAIN,
    OPERATOR_COMMANDS,
    LoadStock,
    Message,
    OrderCreated,
    OrderLine,
)
from actors.place_order import PLACE_ORDER
from actors.sagas.coordinator import SagaCoordinator
from actors.sagas.definition import Saga
from actors.sagas.outages import Outages
from actors.sagas.progress import Progress
from actors.sagas.registry import Registry
from actors.services.gateway import PaymentGateway
from actors.services.service import Service
from bridges.external_calls import CAPACITY
from bridges.record import Outgoing
from bridges.store.headers import pack
from system.bootstrap import SERVICES, Parts
from system.harness.books import Books
from system.harness.bridges import HarnessEmbeddedBridge, HarnessTopicsBridge, Staged
from system.harness.crashes import Crashed
from system.harness.expectation import Expectation, Violated
from system.harness.faults import Fault
from system.harness.forces import put_in_force, replies_of
from system.harness.ledger import Ledger
from system.harness.meddling import head_of
from system.harness.orders import OrderNumbers
from system.harness.provider import Mailbag, Provider
from system.harness.services import ServiceControl
from system.harness.stage import Stage
from system.harness.story import story, trace_of
from system.harness.worker import Worker
from system.logs.capture import LogCapture
from system.runtime import ActorView, Fifo, PendingMessage, Policy, SeededShuffle, TimerView
from system.runtime.base import Interceptor
from system.settings import Settings

PLENTY = 1_000
"""Of each SKU that an order names, if the harness was not told of any stock."""

_APPEND = (
    "INSERT INTO log (topic, partition, key, value, headers, handled, appended_at) "
    "VALUES (?, ?, ?, ?, ?, 0, ?)"
)
_OPERATORS = dict(zip(("retry", "skip", "resume", "cancel"), OPERATOR_COMMANDS, strict=True))


class Harness:
    """A system to be tried out, as a context manager.

    Nothing happens until `advance` or `run`. The same seed gives the same run, to the byte.

    `log` is "embedded", where a batch follows its own records, or "topics", where every record
    goes through a topic as it does with Kafka. `local` says whether the payment provider and the
    way to customers answer at once, or are called outside and may fail. Without `stock` there is
    plenty of whatever is ordered. `order` is that of messages: "shuffled" by the seed, or "fifo".
    `call_capacity` is how many external calls of a service may be under way.
    Timers fire up to `tick` seconds late, as on a busy machine: those that are due meanwhile fire
    together.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        sagas: Sequence[Saga] = (PLACE_ORDER,),
        services: Sequence[type[Service]] = SERVICES,
        faults: Iterable[Fault] = (),
        stock: Mapping[str, int] | None = None,
        log: Literal["embedded", "topics"] = "embedded",
        local: bool = True,
        gateway: PaymentGateway | None = None,
        order: Literal["shuffled", "fifo"] = "shuffled",
        batch_size: int = 500,
        partitions: int = 4,
        tick: float = 0.0,
        call_capacity: int = CAPACITY,
    ) -> None:
        self.seed = seed
        self.registry = Registry(sagas)
        self.rng = random.Random(seed)
        self.stage = Stage(self.registry, self.rng, partitions)
        self.provider = Provider(
            local, lambda order_id: self.stage.troubles.declines("payments", order_id), gateway
        )
        self.mailbag = Mailbag(local)
        self.books = Books(self.stage.database.connection, self.registry)
        self.ledger = Ledger(self.registry)
        self.stage.watchers.append(self.ledger)
        self.stage.calls.on_violation = self.ledger.note
        self.worker: Worker | None = None
        self.placed: list[str] = []
        """Every order that was placed."""
        self.faults: list[Fault] = []
        """What was asked for, in that order."""
        self._stocked: set[tuple[str, str]] | None = None if stock is not None else set()
        self._numbers = OrderNumbers()
        self._shuffled = order == "shuffled"
        self.lives = 0
        self._tick = tick
        self._interceptors: list[Interceptor] = []
        self._undo: dict[int, Callable[[], None]] = {}
        self._capture = LogCapture(self.stage.clock.now)
        self.replies = replies_of(self.registry)
        """The statuses with which each participant answers."""
        self.orders = ServiceControl(self, "orders")
        self.payment = ServiceControl(self, "payments")
        self.stock = ServiceControl(self, "stock")
        self.notifications = ServiceControl(self, "notifications")
        if log == "embedded":
            self.stage.arrive = self._append_to_log
        else:
            self.stage.arrive = self._append_to_topic
        kind: type[Staged] = HarnessEmbeddedBridge if log == "embedded" else HarnessTopicsBridge
        self._bridge = type(kind.__name__, (kind,), {"stage": self.stage})
        self._parts = Parts(
            settings=Settings(
                database="sqlite:///:memory:",
                partitions=partitions,
                batch_size=batch_size,
                # Nobody brings any, and timers shall be those of sagas alone.
                keep_idempotency_keys=None,
            ),
            connect=self.stage.database.connect,
            sagas=sagas,
            services=services,
            bridge=self._bridge,
            clock=self.stage.clock,
            call_runner=self.stage.call_runner,
            call_capacity=call_capacity,
            gateway=self.provider,
            channel=self.mailbag,
            watch=self.stage.points.reach,
        )
        self._first_stock = dict(stock or {})
        self.on(*faults)

    # --- its life -----------------------------------------------------------------------------

    def __enter__(self) -> "Harness":
        self._capture.open()
        self.restart()
        if self._first_stock:
            self.load_stock(self._first_stock)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            concerned = getattr(error, "order_ids", self.placed[:1])
            error.add_note("\n" + self.story(*concerned))
        self.close()

    def close(self) -> None:
        """End the worker, and forget everything."""
        if self.worker:
            self.worker.kill()
            self.worker = None
        self._capture.close()
        self.stage.database.close()

    def crash(self) -> None:
        """The worker dies, now; `restart` brings another."""
        if self.worker:
            self.worker.kill()
            self.worker = None

    def stop(self) -> None:
        """The worker ends in good order: it commits what it has begun."""
        if self.worker and self._guarded(self.worker.stop):
            self.worker = None

    def restart(self) -> None:
        """A worker starts on what the database holds. Does nothing if one runs."""
        if self.worker:
            return
        self.lives += 1
        policy: Policy = SeededShuffle(self.seed * 1009 + self.lives) if self._shuffled else Fifo()
        parts = attrs.evolve(self._parts, outages=Outages())
        self.worker = Worker(self.stage, parts, policy, self._interceptors)
        self._guarded(self.worker.start)

    # --- what time it is ----------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Seconds since the harness began."""
        return self.stage.clock.monotonic()

    def advance(self, seconds: float) -> None:
        """Let time pass: every timer fires, and every record arrives, at its own time."""
        clock, agenda = self.stage.clock, self.stage.agenda
        until = clock.monotonic() + seconds
        self.run()
        while (due := self._next_due()) is not None and due <= until:
            clock.jump_to(min(due + self._tick, until))
            self._guarded(lambda: agenda.run_due(clock.monotonic()))
            self.run()
        clock.jump_to(until)

    def run(self) -> None:
        """Do all that can be done without time passing."""
        while self.worker and not self._guarded(self.worker.run):
            pass

    def run_until_ended(self, limit: float = 7 * 86_400.0) -> bool:
        """Let time pass until no saga is in flight, at most `limit` seconds; whether that is so."""
        clock, until = self.stage.clock, self.elapsed + limit
        self.run()
        while self.in_flight() and (due := self._next_due()) is not None and due <= until:
            self.advance(max(0.0, due - clock.monotonic()))
        return not self.in_flight()

    def run_until_quiet(self, limit: float = 7 * 86_400.0) -> bool:
        """Let time pass until nothing is to come, at most `limit` seconds; whether that is so."""
        clock, until = self.stage.clock, self.elapsed + limit
        self.run()
        while (due := self._next_due()) is not None and due <= until:
            self.advance(max(0.0, due - clock.monotonic()))
        return self._next_due() is None

    # --- what a user does ---------------------------------------------------------------------

    def place(self, order: OrderCreated) -> str:
        """Place an order, and return its id. Its saga starts when time passes, or at `run`."""
        if not order.order_id:
            order = replace(order, order_id=self._numbers.take())
        if self._stocked is not None:
            wanted = {(order.warehouse, line.sku) for line in order.lines} - self._stocked
            for warehouse, sku in sorted(wanted):
                self.load_stock({sku: PLENTY}, warehouse)
            self._stocked |= wanted
        self.placed.append(order.order_id)
        self.publish("order-events", order)
        return order.order_id

    def load_stock(self, quantities: Mapping[str, int], warehouse: str = MAIN) -> None:
        """Goods arrive at a warehouse."""
        lines = tuple(OrderLine(sku=sku, quantity=n) for sku, n in quantities.items())
        name = f"load-{warehouse}-{'-'.join(quantities)}-{self.elapsed:g}"
        load = LoadStock(order_id=name, lines=lines, warehouse=warehouse)
        self._arrives(self.stage.outgoing("stock-events", warehouse, _encode(load)))

    def publish(
        self, topic: str, record: Message | Mapping[str, Any] | bytes, key: str | None = None
    ) -> None:
        """Put a record on a topic: a message, a JSON object, or any bytes at all."""
        value = record if isinstance(record, bytes) else _encode(record)
        self.stage.publish(
            self.stage.outgoing(topic, head_of(value).order_id if key is None else key, value)
        )

    def operator(
        self, order_id: str, action: str, step: str = "", why: str = "because", saga: str = ""
    ) -> None:
        """An operator asks of a saga: `cancel`, `retry`, `skip` or `resume`."""
        command = _OPERATORS[action](
            order_id=order_id, by="operator", why=why, saga=saga,
        )  # fmt: skip
        if step:
            command = replace(command, step=step)
        self._arrives(self.stage.outgoing("order-events", order_id, _encode(command)))

    def pause(self, name: str, why: str = "because") -> None:
        """An operator lets a service rest, named as its participant is, or the `intake`."""
        self.stage.database.connection.execute(
            "INSERT INTO pauses (name, by, why, since) VALUES (?, 'operator', ?, ?)",
            (name, why, self.stage.clock.now()),
        )
        self._ring()

    def unpause(self, name: str) -> None:
        """An operator lets it go on."""
        self.stage.database.connection.execute(
            "UPDATE pauses SET until = ?, ended_by = 'operator' WHERE name = ? AND until IS NULL",
            (self.stage.clock.now(), name),
        )
        self._ring()

    def send(self, actor: str, message: Any) -> None:
        """Send any message to a service, to `coordinator` or to `bridge`, past every topic."""
        if self.worker is None:
            raise RuntimeError("no worker runs")
        base = self.worker.base
        base.inject(base.systemAddress, self._address(actor), message)

    # --- what goes wrong ----------------------------------------------------------------------

    def on(self, *faults: Fault) -> None:
        """Let these go wrong from now on; what is counted, is counted from now."""
        for fault in faults:
            self.faults.append(fault)
            self._undo[id(fault)] = put_in_force(fault, self)
        self._meddle()

    def off(self, *faults: Fault) -> None:
        """Let these records and services be well again."""
        for fault in faults:
            undo = self._undo.pop(id(fault), None)
            if undo:
                undo()
        self._meddle()

    def all_is_well(self) -> None:
        """Let nothing go wrong any more. What has gone wrong stays."""
        stage = self.stage
        for part in (stage.meddling, stage.troubles, stage.points, stage.database, stage.calls):
            part.clear()
        self._interceptors.clear()
        self._meddle()
        self.restart()

    def intercept(self, interceptor: Interceptor) -> None:
        """Show each message between actors to a function of (sender, receiver, message).

        It returns the messages to deliver in its place: none drops it, two duplicate it.
        """
        self._interceptors.append(interceptor)
        self._meddle()

    def service(self, name: str) -> ServiceControl:
        """The service of a participant, to be made to misbehave."""
        return ServiceControl(self, name)

    # --- looking ------------------------------------------------------------------------------

    def expect(self, order_id: str, saga: str = "") -> Expectation:
        """What should be true of an order."""
        return Expectation(self, order_id, saga)

    def expect_no_violations(self) -> None:
        """No invariant was broken at any commit, and none is broken in what is stored now.

        Raises Violated, with every violation.
        """
        self.ledger.audit(self.books)
        found = list(self.ledger.violations)
        if found:
            raise Violated(found)

    def sent(self, order_id: str = "") -> list[str]:
        """The status of each record that the system sent, about one order or all."""
        heads = [head_of(outgoing.value) for outgoing in self.stage.sent]
        return [head.status for head in heads if order_id in ("", head.order_id)]

    def in_flight(self) -> list[str]:
        """The ids of the orders whose sagas have not ended."""
        return list(dict.fromkeys(self.ledger.open.values()))

    def saga(self, order_id: str) -> Progress | None:
        """The saga of an order, as it is stored."""
        return next(iter(self.books.sagas(order_id)), None)

    def on_hand(self, sku: str, warehouse: str = MAIN) -> int:
        """How much of a SKU nobody holds."""
        levels = self.books.all_of(StockLevel)
        return sum(e.on_hand for e in levels if (e.sku, e.warehouse) == (sku, warehouse))

    def mailboxes(self) -> list[PendingMessage]:
        """The messages between actors that wait for delivery."""
        return self.worker.base.pending() if self.worker else []

    def timers(self) -> list[TimerView]:
        """The wakeups that are still to come."""
        return self.worker.base.timers() if self.worker else []

    def actors(self) -> list[ActorView]:
        """The living actors."""
        return self.worker.base.actors() if self.worker else []

    @property
    def log_lines(self) -> list[bytes]:
        """Every line that was logged, as JSON."""
        return self._capture.lines

    def log(self, order_id: str = "") -> list[dict[str, Any]]:
        """What was logged, about one order or in all."""
        lines = [msgspec.json.decode(line) for line in self._capture.lines]
        return [line for line in lines if order_id in ("", line.get("order_id"))]

    def trace(self, order_id: str) -> str:
        """The life of an order, as `order-sagas trace` prints it."""
        return trace_of(order_id, self._capture.lines)

    def story(self, *order_ids: str) -> str:
        """The seed, the faults, and the life of these orders."""
        return story(self.seed, self.faults, order_ids, self._capture.lines)

    # --- inside -------------------------------------------------------------------------------

    def _guarded(self, act: Callable[[], Any]) -> bool:
        """Do something in which the worker may die; answers whether it lived."""
        points = self.stage.points
        before, points.armed = points.armed, True
        try:
            act()
        except Crashed as crash:
            points.armed = before
            self.crash()
            if crash.down:
                self.stage.agenda.add(self.elapsed + crash.down, self.restart)
            else:
                self.restart()
            return False
        finally:
            points.armed = before
        return True

    def _next_due(self) -> float | None:
        timer = self.worker.base.next_timer() if self.worker else None
        dues = [due for due in (timer, self.stage.agenda.next_due()) if due is not None]
        return min(dues) if dues else None

    def _meddle(self) -> None:
        if self.worker:
            self.worker.meddle(self._interceptors)

    def _arrives(self, outgoing: Outgoing) -> None:
        self.stage.arrive(outgoing, self.stage.clock.now())

    def _append_to_log(self, outgoing: Outgoing, now: float) -> None:
        o = outgoing
        self.stage.database.connection.execute(
            _APPEND, (o.topic, o.partition, o.key, o.value, pack(o.headers), now)
        )
        self._ring()

    def _append_to_topic(self, outgoing: Outgoing, now: float) -> None:
        self.stage.topics.append(outgoing, now)
        self._ring()

    def _ring(self) -> None:
        if self.worker:
            self.worker.ring()

    def _address(self, actor: str) -> ActorAddress:
        assert self.worker
        assert self.worker.running
        if actor == "bridge":
            return self.worker.running.bridge
        if actor in self.worker.services:
            return self.worker.services[actor]
        for view in self.worker.base.actors():
            if actor == "coordinator" and view.actor_class is SagaCoordinator:
                return view.address
        known = ", ".join(["bridge", "coordinator", *self.worker.services])
        raise LookupError(f"no actor is named {actor!r}; there are {known}")


_encode = msgspec.json.Encoder().encode
