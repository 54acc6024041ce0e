"""The harness: a whole system in one process, on virtual time, with injected faults."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import replace

from order_sagas.actors.entities import StockLevel
from order_sagas.actors.messages import MAIN, Message, OrderCreated
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState
from order_sagas.actors.services.payment_gateway import PaymentGateway
from order_sagas.actors.services.service import Service
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.bridges.processor.external_calls import CAPACITY
from order_sagas.bridges.processor.log_adapter import LogAdapter
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.records.routing import Routes
from order_sagas.system.app import App, with_locks
from order_sagas.system.bootstrap import Parts
from order_sagas.system.harness.committed_state import Books
from order_sagas.system.harness.crashes import Crashed
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.expectation import Expectation, Violated, orders_of
from order_sagas.system.harness.failure_report import story, trace_of, went_wrong
from order_sagas.system.harness.fake_provider import Mailbag, Provider
from order_sagas.system.harness.fault_injection import put_in_force, replies_of
from order_sagas.system.harness.faults import Fault
from order_sagas.system.harness.incident_words import describe
from order_sagas.system.harness.inputs import Inputs
from order_sagas.system.harness.invariant_monitor import Ledger
from order_sagas.system.harness.known_names import check_names, check_service
from order_sagas.system.harness.orders import PLENTY, OrderNumbers, Supply
from order_sagas.system.harness.passing_time import PassingTime
from order_sagas.system.harness.record_faults import head_of
from order_sagas.system.harness.remote_services import remote_services
from order_sagas.system.harness.service_control import ServiceControl
from order_sagas.system.harness.simulated_worker import ENDLESS, Worker
from order_sagas.system.harness.staged_processor import StagedEmbeddedLog
from order_sagas.system.harness.worker_group import WorkerGroup
from order_sagas.system.logs.capture import LogCapture
from order_sagas.system.order_app import APP
from order_sagas.system.runtime import (
    ActorView,
    Fifo,
    PendingMessage,
    Policy,
    SeededShuffle,
    TimerView,
)
from order_sagas.system.runtime.base import Interceptor
from order_sagas.system.settings import Settings

if TYPE_CHECKING:
    from order_sagas.system.harness.simulated_kafka import SimulatedKafka


class Harness:
    """A system under test, as a context manager.

    Nothing happens until `advance` or `run`. The same seed gives the same log, byte for byte.

    - `log` is "embedded", or "topics" for the batch processor of Kafka on a simulated Kafka. There
      `workers` share the shards, and records and acknowledgements take up to `latency` seconds.
    - `local` means that the payment provider and the notification channel are called within the
      batch; otherwise they are external calls, which can fail.
    - `stock` maps SKUs to quantities; without it there is plenty of every ordered SKU.
    - `order` is the order of messages between actors: "shuffled" by the seed, or "fifo".
    - `call_capacity` limits the external calls of a service in progress in a worker.
    - Timers fire up to `tick` seconds late, as on a busy machine; all due by then fire together.

    Raises ValueError for several workers on the embedded log.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        app: App = APP,
        sagas: Sequence[Saga[Any]] | None = None,
        services: Sequence[type[Service]] | None = None,
        faults: Iterable[Fault] = (),
        stock: Mapping[str, int] | None = None,
        log: Literal["embedded", "topics"] = "embedded",
        local: bool = True,
        gateway: PaymentGateway | None = None,
        order: Literal["shuffled", "fifo"] = "shuffled",
        batch_size: int = 500,
        partitions: int = 4,
        tick: float = 0.0,
        workers: int = 1,
        latency: float = 0.0,
        call_capacity: int = CAPACITY,
    ) -> None:
        if workers > 1 and log == "embedded":
            raise ValueError("several workers share a Kafka: Harness(log='topics', workers=...)")
        self.seed = seed
        self.app = app
        sagas = app.sagas if sagas is None else sagas
        services = with_locks(sagas, app.services if services is None else services)
        self.registry = Registry(sagas)
        services = (*services, *remote_services(self.registry, services))
        self.services = services
        self.routes = Routes(self.registry, services)
        self.rng = random.Random(seed)
        self.stage = Stage(self.registry, self.rng, partitions)
        self.provider = Provider(
            local, lambda order_id: self.stage.troubles.declines("payments", order_id), gateway
        )
        self.mailbag = Mailbag(local)
        self.books = Books(self.stage.database.connect(""), self.registry)
        self.ledger = Ledger(self.registry, app.rules)
        self.stage.watchers.append(self.ledger)
        self.stage.calls.on_violation = self.ledger.note
        self.placed: list[str] = []
        """The ids of all orders placed."""
        self.faults: list[Fault] = []
        """All faults that were put in force, in that order."""
        self._supply = Supply() if stock is None else None
        self._numbers = OrderNumbers()
        self._undo: dict[int, Callable[[], None]] = {}
        self._capture = LogCapture(self.stage.clock.now)
        self.replies = replies_of(self.registry)
        """The statuses of the replies of each participant."""
        self.orders = ServiceControl(self, "orders")
        self.payment = ServiceControl(self, "payments")
        self.stock = ServiceControl(self, "stock")
        self.notifications = ServiceControl(self, "notifications")
        self.kafka: SimulatedKafka | None = None
        """The simulated Kafka; None with the embedded log."""
        adapter: type[LogAdapter] = StagedEmbeddedLog
        self.stage.arrive = self._append_to_log
        if log == "topics":
            # Here, because Kafka's client takes long to load.
            from order_sagas.system.harness.staged_kafka import StagedKafka, put_kafka_on

            adapter, self.kafka = StagedKafka, put_kafka_on(self.stage, seed, latency)
        settings = Settings(
            database="sqlite:///:memory:",
            partitions=partitions,
            batch_size=batch_size,
            # None are used here; this avoids a timer that does not belong to a saga.
            keep_idempotency_keys=None,
            keep_operator_actions=None,
        )
        simulated = {name: make(settings) for name, make in app.simulated_clients.items()}
        parts = Parts(
            settings=settings,
            connect=self.stage.database.connect,
            app=app,
            sagas=sagas,
            services=services,
            adapter=adapter,
            call_capacity=call_capacity,
            clients={**simulated, "payments": self.provider, "notifications": self.mailbag},
        )

        def policy_of(life: int) -> Policy:
            return SeededShuffle(seed * 1009 + life) if order == "shuffled" else Fifo()

        self._group = WorkerGroup(self.stage, parts, policy_of, workers)
        step = self.kafka.step if self.kafka else lambda: False
        self._time = PassingTime(self.stage, self._group, self.rng, step, tick)
        self._inputs = Inputs(self.registry, services, self.stage.outgoing)
        self._first_stock = dict(stock or {})
        self.on(*faults)

    # --- workers ------------------------------------------------------------------------------

    def __enter__(self) -> "Harness":
        self._capture.open()
        self.restart()
        if self._first_stock:
            self.load_stock(self._first_stock)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            concerned = getattr(error, "order_ids", self.placed[:1])
            error.add_note("\n" + self.story(*concerned))
        self.close()

    def close(self) -> None:
        """Crash all workers, and close the database."""
        self.crash()
        self._capture.close()
        self.stage.database.close()

    @property
    def workers(self) -> Mapping[int, Worker]:
        """The running workers, by number."""
        return self._group.running

    @property
    def worker(self) -> Worker | None:
        """The running worker with the lowest number, or None."""
        return self._group.first

    @property
    def lives(self) -> int:
        """How many times a worker was started."""
        return self._group.lives

    def crash(self, number: int | None = None) -> None:
        """Kill a worker, or all, at once; `restart` starts them again."""
        self._group.crash(number)

    def stop(self, number: int | None = None) -> None:
        """Stop a worker, or all, in good order: the current batch is committed."""
        self._group.stop(number)

    def restart(self, number: int | None = None) -> None:
        """Start a worker, or all that do not run, on the state in the database."""
        self._group.restart(number)

    def add_worker(self) -> int:
        """Start one more worker, and return its number. Raises ValueError on the embedded log."""
        if self.kafka is None:
            raise ValueError("the embedded log has one worker here")
        return self._group.add()

    def remove_worker(self, number: int, *, killed: bool) -> None:
        """Stop or kill a worker for good; the last one can still be started by `restart`."""
        self._group.remove(number, killed=killed)

    def skew(self, number: int, seconds: float, drift: float) -> None:
        """Set the wall clock of a worker `seconds` ahead, gaining `drift` seconds per second."""
        if self._group.skew(number, seconds, drift):
            # Deadlines set by another worker, or earlier by this one, may seem to fire early.
            self.ledger.clock_is_steady = False

    def pause(self, name: str, why: str = "because") -> None:
        """Pause a service (the name of its participant), or the `intake`, as an operator."""
        self.stage.database.pause(name, why, self.stage.clock.now())
        self._group.notify()

    def pause_worker(self, worker: Worker, seconds: float, *, whole: bool = True) -> None:
        """Suspend a worker at its current point while `seconds` pass.

        Raises Crashed if it was killed meanwhile.
        """
        with self.stage.points.disarmed():
            worker.pause(lambda: self.advance(seconds), whole=whole)
        if not worker.alive:
            raise Crashed(0.0)

    # --- time ---------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the start."""
        return self.stage.clock.monotonic()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: every timer fires, and every record arrives, at its own time."""
        self._time.advance(seconds)

    def run(self) -> None:
        """Do everything that needs no time to pass."""
        self._time.run()

    def run_until_ended(self, limit: float = 7 * 86_400.0) -> bool:
        """Let time pass until no saga is in flight, at most `limit` seconds; True if none is."""
        self._time.advance_while(self.in_flight, limit)
        return not self.in_flight()

    def run_until_quiet(self, limit: float = 7 * 86_400.0) -> bool:
        """Let time pass until nothing is pending, at most `limit` seconds; True if nothing is."""
        self._time.advance_while(lambda: True, limit)
        return self._time.next_due(without=ENDLESS) is None

    # --- input --------------------------------------------------------------------------------

    def place(self, order: OrderCreated) -> str:
        """Place an order, and return its id. Its saga starts when time passes, or at `run`."""
        if not order.order_id:
            order = replace(order, order_id=self._numbers.take())
        if self._supply:
            for sku in self._supply.missing(order):
                self.load_stock({sku: PLENTY}, order.warehouse)
        self.placed.append(order.order_id)
        self.stage.publish(self._inputs.published("order-events", order))
        return order.order_id

    def start(self, start: Message) -> str:
        """Start a saga of the app by its start message, and return the order id.

        Raises LookupError for a message that starts no saga.
        """
        outgoing = self._inputs.start(start)
        self.placed.append(start.order_id)
        self.stage.publish(outgoing)
        return start.order_id

    def signal(self, message: Message) -> None:
        """Send a message that a saga waits for (`Wait`), as a person or another system does."""
        self.stage.publish(self._inputs.signal(message))

    def load_stock(self, quantities: Mapping[str, int], warehouse: str = MAIN) -> None:
        """Add stock to a warehouse."""
        name = f"load-{warehouse}-{'-'.join(quantities)}-{self.elapsed:g}"
        self._arrives(self._inputs.delivery(name, quantities, warehouse))

    def publish(
        self, topic: str, record: Message | Mapping[str, Any] | bytes, key: str | None = None
    ) -> None:
        """Append a record to a topic: a message, a JSON object, or bytes. Record faults apply.

        Raises LookupError for a topic that the app does not have.
        """
        self.stage.publish(self._inputs.published(topic, record, key))

    def operator(
        self, order_id: str, action: str, step: str = "", why: str = "because", saga: str = ""
    ) -> None:
        """Send an operator's command: `cancel`, `retry`, `skip` or `resume`."""
        self._arrives(self._inputs.command(order_id, action, step, why, saga))

    def unpause(self, name: str) -> None:
        """End a pause, as an operator."""
        self.stage.database.unpause(name, self.stage.clock.now())
        self._group.notify()

    def send(self, actor: str, message: Any) -> None:
        """Send a message to a service, to `coordinator` or to `processor`, bypassing all topics.

        Raises RuntimeError if no worker runs, and LookupError for an unknown name.
        """
        address = self._group.address(actor)
        assert self.worker
        self.worker.base.inject(self.worker.base.systemAddress, address, message)

    # --- faults -------------------------------------------------------------------------------

    def on(self, *faults: Fault) -> None:
        """Put faults in force; their counts start now.

        Raises LookupError for a fault of a service or topic that the app does not have.
        """
        for fault in faults:
            check_names(fault, self.routes, self.registry)
            self.faults.append(fault)
            self._undo[id(fault)] = put_in_force(fault, self)
        self._group.meddle()

    def off(self, *faults: Fault) -> None:
        """Take faults of records and services out of force."""
        for fault in faults:
            undo = self._undo.pop(id(fault), None)
            if undo:
                undo()
        self._group.meddle()

    def all_is_well(self) -> None:
        """Remove all faults and interceptors, and start all workers; past effects remain."""
        stage = self.stage
        for part in (
            stage.meddling, stage.troubles, stage.points, stage.database, stage.calls,
            stage.ack_delays, stage.kafka_troubles,
        ):  # fmt: skip
            part.clear()
        self._group.interceptors.clear()
        if self.kafka:
            self.kafka.come_back()
        self._group.meddle()
        self.restart()

    def intercept(self, interceptor: Interceptor) -> None:
        """Call a function with (sender, receiver, message) for each message between actors.

        It returns the messages to deliver instead: none drops it, two duplicate it.
        """
        self._group.interceptors.append(interceptor)
        self._group.meddle()

    def service(self, name: str) -> ServiceControl:
        """Return the control of a participant's service. Raises LookupError for an unknown name."""
        check_service(name, self.registry)
        return ServiceControl(self, name)

    # --- inspection ---------------------------------------------------------------------------

    def expect(self, order_id: str, saga: str = "") -> Expectation:
        """Return an expectation about an order."""
        return Expectation(self, order_id, saga)

    def expect_no_violations(self) -> None:
        """Check that no commit violated an invariant, and audit the database.

        A dead letter because a handler raised is a violation too, unless a fault let it raise.
        Raises Violated with all violations.
        """
        self.ledger.audit(self.books)
        for order_id, letter in self.stage.incidents.letters_of_handlers():
            self.ledger.note(Broken("no dead letters", order_id, describe(letter)))
        found = list(self.ledger.violations)
        if found:
            raise Violated(found, self.went_wrong(*orders_of(found)))

    def sent(self, order_id: str = "") -> list[str]:
        """Return the statuses of the records that the system sent, about one order or all."""
        heads = [head_of(outgoing.value) for outgoing in self.stage.sent]
        return [head.status for head in heads if order_id in ("", head.order_id)]

    def in_flight(self) -> list[str]:
        """Return the ids of orders with a saga in flight."""
        return list(dict.fromkeys(self.ledger.open.values()))

    def saga(self, order_id: str) -> SagaState | None:
        """Return the committed saga of an order, or None."""
        return next(iter(self.books.sagas(order_id)), None)

    def on_hand(self, sku: str, warehouse: str = MAIN) -> int:
        """Return the quantity of a SKU that is not reserved."""
        levels = self.books.all_of(StockLevel)
        return sum(e.on_hand for e in levels if (e.sku, e.warehouse) == (sku, warehouse))

    def mailboxes(self) -> list[PendingMessage]:
        """Return the messages between actors that are not delivered yet."""
        return [each for worker in self.workers.values() for each in worker.base.pending()]

    def timers(self) -> list[TimerView]:
        """Return the timers that are set."""
        return [each for worker in self.workers.values() for each in worker.base.timers()]

    def actors(self) -> list[ActorView]:
        """Return all actors of the running workers."""
        return [each for worker in self.workers.values() for each in worker.base.actors()]

    @property
    def log_lines(self) -> list[bytes]:
        """All log lines, as JSON."""
        return self._capture.lines

    def log(self, order_id: str = "") -> list[dict[str, Any]]:
        """Return the log lines about one order, or all."""
        lines = [msgspec.json.decode(line) for line in self._capture.lines]
        return [line for line in lines if order_id in ("", line.get("order_id"))]

    def trace(self, order_id: str) -> str:
        """Return the trace of an order, in the form of `order-sagas trace`."""
        return trace_of(order_id, self._capture.lines)

    def story(self, *order_ids: str) -> str:
        """Return a report: the seed, the faults, and the traces of these orders."""
        lines, incidents = self._capture.lines, self.stage.incidents
        return story(self.seed, self.faults, order_ids, lines, incidents)

    def went_wrong(self, *order_ids: str) -> list[str]:
        """Return the errors of services about these orders, or about any: one line for each.

        These are exceptions of handlers and dead letters, then calls that were repeated.
        """
        return went_wrong(self.stage.incidents, order_ids)

    # --- internals ----------------------------------------------------------------------------

    def _arrives(self, outgoing: Outgoing) -> None:
        self.stage.arrive(outgoing, self.stage.clock.now())

    def _append_to_log(self, outgoing: Outgoing, now: float) -> None:
        self.stage.database.append(outgoing, now)
        self._group.notify()
