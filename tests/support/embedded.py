"""A whole system on the embedded log, in this process and on virtual time.

with EmbeddedSystem(tmp_path) as system:
    system.load({"PEN": 10})
    system.put(an_order("o-1"))
    system.advance(minutes(5))

    assert "COMPLETED" == system.status("o-1")
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import attrs
import msgspec

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import LoadStock, Message, OrderCreated, OrderLine
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.state import SagaState, Status
from order_sagas.actors.schedules import Schedule
from order_sagas.actors.services.service import Service
from order_sagas.bridges.audit import Violation, examine, ledger_of
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.processor.call_runners import CallRunner, ImmediateCalls
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.processor.external_calls import CAPACITY
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.store import Store
from order_sagas.system.app import with_locks
from order_sagas.system.bootstrap import Parts, open_store
from order_sagas.system.harness.committed_state import Books
from order_sagas.system.harness.inputs import Inputs
from order_sagas.system.harness.virtual_worker import VirtualWorker
from order_sagas.system.logs.capture import LogCapture
from order_sagas.system.order_app import APP
from order_sagas.system.running_system import RunningSystem
from order_sagas.system.runtime import EventLoopBase, VirtualClock
from order_sagas.system.settings import Settings

E = TypeVar("E", bound=Entity)

BEGAN = 1_700_000_000.0
"""Wall time at the start of a test system, in seconds since the Unix epoch."""


class Crash(BaseException):
    """A simulated crash; a BaseException, so that no handler catches it."""


def _nothing(point: str) -> None:
    """Do nothing. A named function, so that it can be pickled."""


def an_order(order_id: str = "o-1", **fields: Any) -> OrderCreated:
    """Return an order for two pens at 1.50 each."""
    pens = (OrderLine(sku="PEN", quantity=2, unit_price=150),)
    fields = {"customer_id": "c-1", "currency": "EUR", "lines": pens, **fields}
    return OrderCreated(order_id=order_id, **fields)


class EmbeddedSystem:
    """A system that runs only when the test lets it, and can be crashed and restarted.

    `settings` are those that differ from the defaults. `watch` is called at each point where a
    crash is interesting, and may raise Crash. It runs `shards`, or all. `database` is a URL to use
    instead of a file in the directory; on PostgreSQL, the embedded log is a table of it, too.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        sagas: Sequence[Saga[Any]] = (PLACE_ORDER,),
        services: Sequence[type[Service]] = APP.services,
        schedules: Sequence[Schedule] = (),
        gateway: Any = None,
        channel: Any = None,
        watch: Callable[[str], None] = _nothing,
        call_runner: Callable[[], CallRunner] = ImmediateCalls,
        call_capacity: int = CAPACITY,
        shards: frozenset[int] | None = None,
        database: str | None = None,
        outage_folder: Path | None = None,
        began: float = BEGAN,
    ) -> None:
        services = with_locks(sagas, services)
        url = database or f"sqlite:///{directory / 'orders.db'}"
        kafka = {} if url.startswith("sqlite") else {"kafka": "nobody.invalid:9092"}
        self.settings = Settings(database=url, **{"partitions": 4, **kafka, **(settings or {})})
        self.clock = VirtualClock(began)
        self.parts = Parts(
            settings=self.settings,
            sagas=sagas,
            services=services,
            schedules=schedules,
            clock=self.clock,
            clients={
                **({"payments": gateway} if gateway else {}),
                **({"notifications": channel} if channel else {}),
            },
            watch=watch,
            call_runner=call_runner,
            call_capacity=call_capacity,
            shards=shards,
            adapter=EmbeddedLogAdapter,
            outage_folder=outage_folder,
        )
        self.store: Store = open_store(self.settings, self.parts.registry, services)
        """A separate connection, for reading."""
        self.books = Books(self.store.db, self.parts.registry)
        self.log = EmbeddedLog(self.settings.database, self.settings.partitions, self.clock)
        self.inputs = Inputs(self.parts.registry, services, self.log.outgoing)
        self.logged = LogCapture(self.clock.now)
        """The captured log. Opened before loggers are bound, which would bypass a later capture."""
        self._logging = False
        self._worker: VirtualWorker | None = None

    @property
    def base(self) -> EventLoopBase | None:
        """The event loop of this life; None if it does not run."""
        return self._worker.base if self._worker else None

    @property
    def running(self) -> RunningSystem | None:
        """The actors of this life; None if it does not run."""
        return self._worker.running if self._worker else None

    # --- life cycle ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()
        self.store.close()
        self.log.close()
        if self._logging:
            self.logged.close()
            self._logging = False

    def start(self) -> None:
        """Start it on the state in its database."""
        self.capture_logs()
        self._worker = VirtualWorker(self.clock)
        self.outages = Outages(self.settings.outage_grace)  # of a former life, nothing is known
        self._worker.start(attrs.evolve(self.parts, outages=self.outages))
        self.run()

    def capture_logs(self) -> None:
        """Capture the log from now on."""
        if not self._logging:
            self._logging = True
            self.logged.open()

    def crash(self) -> None:
        """Crash it: everything uncommitted is lost."""
        if self._worker:
            self._worker.base.crash()
        self._worker = None

    def restart(self) -> None:
        """Crash it, and start it again."""
        self.crash()
        self.start()

    def stop(self) -> bool:
        """Stop it in good order."""
        assert self.running
        return self.running.stop()

    # --- input --------------------------------------------------------------------------------

    def put(self, *messages: Message, topic: str = "") -> None:
        """Append messages to their topics in one transaction, and run."""
        self.append(*(self.inputs.message(message, topic) for message in messages))
        self.run()

    def put_raw(
        self, topic: str, value: bytes | None, key: bytes | None = b"k", headers: Headers = ()
    ) -> None:
        """Append bytes to a topic."""
        self.append(Outgoing(topic, 0, key, value, headers))
        self.run()

    def append(self, *records: Outgoing) -> None:
        """Append records to the log, without running."""
        self.log.append(*records)

    def load(self, stock: Mapping[str, int], delivery: str = "delivery") -> None:
        """Add stock: a quantity of each SKU."""
        lines = tuple(OrderLine(sku=sku, quantity=count) for sku, count in stock.items())
        self.put(LoadStock(order_id=delivery, lines=lines))

    def run(self) -> None:
        """Do everything that needs no time to pass."""
        if self._worker:
            self._worker.notify()
            self._worker.run()

    def advance(self, seconds: float) -> None:
        """Let time pass; timers fire at their due times."""
        assert self._worker
        self._worker.base.advance(seconds)
        self._worker.raise_failure()

    # --- results ------------------------------------------------------------------------------

    def saga(self, order_id: str, name: str = PLACE_ORDER.name) -> SagaState | None:
        """Return the stored state of an order's saga."""
        return next((each for each in self.books.sagas(order_id) if each.saga == name), None)

    def status(self, order_id: str, name: str = PLACE_ORDER.name) -> str:
        """Return the status of an order's saga; empty if there is none."""
        saga = self.saga(order_id, name)
        return Status(saga.status).name if saga else ""

    def history(self, order_id: str, name: str = PLACE_ORDER.name) -> list[str]:
        """Return the saga's log lines as `event step`, without their common prefix."""
        saga = self.saga(order_id, name)
        return [
            f"{entry.event.removeprefix('saga.')} {entry.step}".strip()
            for entry in (saga.history if saga else ())
        ]

    def entity(self, kind: type[E], order_id: str) -> E | None:
        """Return the stored entity of an order."""
        return self.books.of(kind, order_id)

    def all_of(self, kind: type[E]) -> list[E]:
        """Return all stored entities of a class."""
        return self.books.all_of(kind)

    def records(self, topic: str = "") -> list[dict[str, Any]]:
        """Return the values of all records in the log that are JSON objects, oldest first."""
        rows = self.log.db.rows(
            "SELECT value FROM log WHERE ? IN ('', topic) ORDER BY position", (topic,)
        )
        found = []
        for (value,) in rows:
            try:
                fields = msgspec.json.decode(value)
            except (msgspec.DecodeError, TypeError):
                continue
            found.append(fields)
        return [fields for fields in found if isinstance(fields, dict)]

    def statuses_of(self, order_id: str) -> list[str]:
        """Return the statuses of all records about an order, oldest first."""
        return [r["status"] for r in self.records() if r.get("orderId") == order_id]

    def violations(self, *, ended: bool = True) -> list[Violation]:
        """Return the violated invariants."""
        return violations(self.settings.database, self.parts.sagas, ended=ended)


def violations(
    database: str, sagas: Sequence[Saga[Any]] = (PLACE_ORDER,), *, ended: bool = True
) -> list[Violation]:
    """Return the violated invariants of a database."""
    with reading(database) as connection:
        return examine(ledger_of(connection), sagas, ended=ended).violations
