"""Wires the system together; every collaborator is an argument."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import make_url
from thespian.actors import ActorAddress, ActorSystem

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.actors.sagas.coordinator import Coordinate, SagaCoordinator
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.notifications import (
    Channel,
    LogChannel,
    NotificationService,
    UseChannel,
)
from order_sagas.actors.services.orders import OrderService
from order_sagas.actors.services.payments import PaymentService, UseGateway
from order_sagas.actors.services.service import Service
from order_sagas.actors.services.simulated_gateway import Silence, SimulatedGateway
from order_sagas.actors.services.stock import StockService
from order_sagas.bridges.logs.doorbell import ring
from order_sagas.bridges.notifications.mail import MaildirChannel, SmtpChannel
from order_sagas.bridges.outage_journal import OutageJournal
from order_sagas.bridges.processor.call_runners import CallRunner, ImmediateCalls
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.processor.external_calls import CAPACITY
from order_sagas.bridges.processor.log_adapter import AdapterFactory
from order_sagas.bridges.processor.messages import AskReport, Connect, Report, Stop, Stopped
from order_sagas.bridges.processor.observers import Observer, Tracing
from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.processor.thread_pools import ThreadPools
from order_sagas.bridges.records.codec import MessageCodec
from order_sagas.bridges.records.routing import ORCHESTRATOR, Routes, wire_messages
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.database_url import file_of
from order_sagas.bridges.storage.log_queues import CONSUMER
from order_sagas.bridges.storage.store import Store
from order_sagas.system.log_client import check_log
from order_sagas.system.roles import consumer_of, roles_of
from order_sagas.system.saga_registry import SAGAS, registry_of
from order_sagas.system.settings import Settings

SERVICES: tuple[type[Service], ...] = (
    OrderService,
    PaymentService,
    StockService,
    NotificationService,
)


def _no_op(*_: Any) -> None:
    return None


@attrs.frozen(kw_only=True)
class Parts:
    """The collaborators of the system, each of which a test can replace."""

    settings: Settings
    sagas: Sequence[Saga[Any]] = SAGAS
    services: Sequence[type[Service]] = SERVICES
    processor: type[BatchProcessor] = BatchProcessor
    adapter: AdapterFactory | None = None
    """The log that the processor reads and writes; None for the one that the settings name."""
    log: Any = None
    """How the adapter reaches its log, a `ClientPort` for Kafka; None for what settings name."""
    connect: Callable[[str], Connection] = connect
    """Opens a connection to the database URL in the settings."""
    clock: Clock = attrs.field(factory=SystemClock)
    outages: Outages = attrs.field(
        default=attrs.Factory(lambda parts: Outages(parts.settings.outage_grace), takes_self=True)
    )
    outage_folder: Path | None = None
    """Where outages of the database are noted for the next worker; None to note them nowhere."""
    call_runner: Callable[[], CallRunner] = ThreadPools
    call_capacity: int = CAPACITY
    """Maximum number of running external calls per service; others wait in the database."""
    apart: bool = False
    """True if each actor runs in its own process, as on Thespian's multi-process bases.

    Only tests use this. The parts are pickled for the actors' processes, results return only as
    messages, and the batch processor makes external calls on its own thread.
    """
    gateway: Any = None
    """The payment provider. None: the simulated one, as the settings say."""
    channel: Channel | None = None
    """The channel of notifications. None: as the settings say."""
    shards: frozenset[int] | None = None
    """The shards of the embedded log that this worker owns. None: all."""
    observers: Sequence[Observer] = ()
    tracing: Tracing | None = None
    flush: Callable[[], None] = _no_op
    watch: Callable[[str], None] = _no_op

    @property
    def registry(self) -> Registry:
        """The saga definitions, with deadlines scaled by the settings."""
        return registry_of(self.settings, self.sagas)


def open_store(
    settings: Settings,
    registry: Registry,
    services: Iterable[type[Service]],
    connect: Callable[[str], Connection] = connect,
    *,
    migrating: bool = False,
) -> Store:
    """Open the store that the settings name. Raises StoreError if it can't be used.

    A database of a former schema version is migrated if `migrating`, and refused if not.
    """
    entities = {
        entity: None
        for service in services
        for entity in (service.entity, *service.entity_of.values(), *service.memory)
    }
    check_log(settings)
    return Store(
        connect(settings.database),
        registry,
        settings.partitions,
        consumer_of(settings),
        entities=[*entities],
        group=settings.kafka_group if settings.kafka else CONSUMER,
        migrating=migrating,
    )


def adapter_of(settings: Settings) -> tuple[AdapterFactory, Any]:
    """The adapter of the log that the settings name, and what it needs to reach it."""
    if settings.kafka:
        # Here, because Kafka's client takes long to load, and only those who name one need it.
        from order_sagas.bridges.processor.kafka import KafkaLogAdapter
        from order_sagas.system.kafka_settings import kafka_log

        return KafkaLogAdapter, kafka_log(settings)
    return EmbeddedLogAdapter, None


def open_world(
    parts: Parts,
    registry: Registry,
    tell: Callable[[Any], None],
) -> ProcessorContext:
    """Open the dependencies of the batch processor, in the process and thread where it runs."""
    store = open_store(parts.settings, registry, parts.services, parts.connect)
    url = parts.settings.database
    name = str(file_of(url) or make_url(url).render_as_string(hide_password=True))
    journal = OutageJournal(store.outages, name, parts.outage_folder)
    parts.outages.journal = journal
    return ProcessorContext(
        store=store,
        wire=MessageCodec(wire_messages(registry, parts.services)),
        routes=Routes(registry, parts.services),
        registry=registry,
        services=parts.services,
        clock=parts.clock,
        call_runner=ImmediateCalls() if parts.apart else parts.call_runner(),
        call_capacity=parts.call_capacity,
        tell=tell,
        flush=parts.flush,
        watch=parts.watch,
        batch_size=parts.settings.batch_size,
        outages=parts.outages,
        journal=journal,
        keep_finished=parts.settings.keep_finished,
        keep_idempotency_keys=parts.settings.keep_idempotency_keys,
        shards=parts.shards,
        observers=parts.observers,
        tracing=parts.tracing,
        ring=partial(ring, parts.settings.database),
        log=adapter_of(parts.settings)[1] if parts.log is None else parts.log,
        roles=roles_of(parts.services),
    )


class RunningSystem:
    """The started actors of a worker, with access to the batch processor."""

    def __init__(
        self,
        actors: ActorSystem,
        bridge: ActorAddress,
        on_failure: Callable[[BaseException], Any] = _no_op,
    ) -> None:
        self.actors = actors
        self.bridge = bridge
        self._on_failure = on_failure
        self.failure: BaseException | None = None
        self.failed = threading.Event()
        """Set when the system has failed; `failure` is the error."""

    def tell_bridge(self, message: Any) -> None:
        """Send the batch processor a message. May be called from any thread."""
        with self.actors.private() as context:
            context.tell(self.bridge, message)

    def report(self, timeout: float = 1.0) -> Report | None:
        """Return the batch processor's report, or None if it did not answer within `timeout` s."""
        with self.actors.private() as context:
            answer = context.ask(self.bridge, AskReport(), timeout)
        return answer if isinstance(answer, Report) else None

    def fail(self, error: BaseException) -> None:
        """Record that the system has failed, and call `on_failure`."""
        self.failure = error
        self.failed.set()
        self._on_failure(error)

    def stop(self, timeout: float = 60.0) -> bool:
        """Finish and commit the batch, then stop. Returns False if `timeout` seconds passed."""
        with self.actors.private() as context:
            answer = context.ask(self.bridge, Stop(), timeout)
        self.actors.shutdown()
        return isinstance(answer, Stopped)


def start(
    parts: Parts,
    actors: ActorSystem,
    on_failure: Callable[[BaseException], Any] = _no_op,
) -> RunningSystem:
    """Create the batch processor and the actors of this process's roles, and connect them.

    `on_failure` is called with the error, on the event loop's thread, if the system fails.
    """
    settings, registry = parts.settings, parts.registry
    bridge = actors.createActor(parts.processor)
    running = RunningSystem(actors, bridge, on_failure)
    coordinator = None
    if ORCHESTRATOR in settings.roles:
        coordinator = actors.createActor(SagaCoordinator)
        actors.tell(coordinator, Coordinate(registry, bridge, parts.clock, parts.outages))
    services: dict[str, ActorAddress] = {}
    roles = roles_of(parts.services)
    for service in parts.services:
        name = service.participant.name
        if roles[name] in settings.roles:
            services[name] = actors.createActor(service)
    for name, message in _configuration(parts).items():
        if name in services:
            actors.tell(services[name], message)
    adapter = parts.adapter or adapter_of(settings)[0]
    if parts.apart:
        world = partial(open_world, parts, registry, _no_op)
        actors.tell(bridge, Connect(world, coordinator, services, adapter, apart=True))
    else:
        world = partial(open_world, parts, registry, running.tell_bridge)
        actors.tell(bridge, Connect(world, coordinator, services, adapter, running.fail))
    return running


def _configuration(parts: Parts) -> dict[str, Any]:
    settings = parts.settings
    return {
        "payments": UseGateway(parts.gateway or simulated_gateway(settings)),
        "stock": Silence(settings.stock_silent_rate, 1, settings.seed, "stock"),
        "notifications": UseChannel(parts.channel or channel_of(settings), parts.clock.now()),
    }


def channel_of(settings: Settings) -> Channel:
    """Return the channel of notifications that the settings name."""
    if settings.notification_channel == "maildir":
        return MaildirChannel(settings.maildir, settings.smtp_from)
    if settings.notification_channel == "smtp":
        return SmtpChannel(
            settings.smtp_host,
            settings.smtp_port,
            sender=settings.smtp_from,
            username=settings.smtp_username,
            password=settings.smtp_password,
            starttls=settings.smtp_starttls,
        )
    return LogChannel()


def simulated_gateway(settings: Settings) -> SimulatedGateway:
    """Return the simulated payment provider that the settings describe."""
    return SimulatedGateway(
        decline_above=settings.payment_decline_above,
        decline_customers=frozenset(settings.payment_decline_customers),
        decline_rate=settings.payment_decline_rate,
        silence=Silence(
            settings.payment_silent_rate,
            settings.payment_silent_attempts,
            settings.seed,
            "payment",
        ),
        delay=settings.payment_delay,
        seed=settings.seed,
    )
