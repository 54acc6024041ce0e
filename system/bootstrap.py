"""Wires the system together; every collaborator is an argument."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from thespian.actors import ActorAddress, ActorSystem

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.actors.errors import error_text
from order_sagas.actors.sagas.coordinator import Coordinate, SagaCoordinator
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.schedules import Schedule
from order_sagas.actors.services.service import Service, UseClient
from order_sagas.bridges.logs.doorbell import ring
from order_sagas.bridges.processor.call_runners import CallRunner, ImmediateCalls
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.embedded import EmbeddedLogAdapter
from order_sagas.bridges.processor.external_calls import CAPACITY
from order_sagas.bridges.processor.log_adapter import AdapterFactory
from order_sagas.bridges.processor.messages import Connect
from order_sagas.bridges.processor.observers import Observer, Tracing
from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.processor.thread_pools import ThreadPools
from order_sagas.bridges.records.codec import MessageCodec
from order_sagas.bridges.records.routing import ORCHESTRATOR, Routes, wire_messages
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.database_url import file_of, parsed
from order_sagas.bridges.storage.log_queues import CONSUMER
from order_sagas.bridges.storage.outage_journal import OutageJournal
from order_sagas.bridges.storage.saga_versions import check_definitions
from order_sagas.bridges.storage.store import Store
from order_sagas.system.app import App, app_of, every_role
from order_sagas.system.app_checks import entities_of
from order_sagas.system.log_client import check_log
from order_sagas.system.roles import consumer_of, roles_of
from order_sagas.system.running_system import RunningSystem
from order_sagas.system.saga_registry import scaled
from order_sagas.system.settings import Settings
from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.model import OUTBOX_TABLE
from order_sagas.system.wire_forms import wire_forms_of


def _no_op(*_: Any) -> None:
    return None


@attrs.frozen(kw_only=True)
class Parts:
    """The collaborators of the system, each of which a test can replace."""

    settings: Settings
    app: App = attrs.field(
        default=attrs.Factory(lambda parts: app_of(parts.settings), takes_self=True)
    )
    sagas: Sequence[Saga[Any]] = attrs.field(
        default=attrs.Factory(lambda parts: parts.app.sagas, takes_self=True)
    )
    services: Sequence[type[Service]] = attrs.field(
        default=attrs.Factory(lambda parts: parts.app.services, takes_self=True)
    )
    schedules: Sequence[Schedule] = attrs.field(
        default=attrs.Factory(lambda parts: parts.app.schedules, takes_self=True)
    )
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
    """Where outages of the database are stored for the next worker; None not to store them."""
    call_runner: Callable[[], CallRunner] = ThreadPools
    call_capacity: int = CAPACITY
    """Maximum number of running external calls per service; others wait in the database."""
    apart: bool = False
    """True if each actor runs in its own process, as on Thespian's multi-process bases.

    Only tests use this. The parts are pickled for the actors' processes, results return only as
    messages, and the batch processor makes external calls on its own thread.
    """
    clients: Mapping[str, Any] = attrs.field(factory=dict)
    """Clients of services, by participant, in place of those that the app makes."""
    shards: frozenset[int] | None = None
    """The shards of the embedded log that this worker owns. None: all."""
    observers: Sequence[Observer] = ()
    tracing: Tracing | None = None
    flush: Callable[[], None] = _no_op
    watch: Callable[[str], None] = _no_op

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that this process runs: those of the settings, or all."""
        return self.settings.roles or every_role(self.services)

    @property
    def registry(self) -> Registry:
        """The saga definitions, with deadlines scaled by the settings."""
        return scaled(self.sagas, self.settings)


def open_store(
    settings: Settings,
    registry: Registry,
    services: Iterable[type[Service]],
    connect: Callable[[str], Connection] = connect,
    *,
    migrating: bool = False,
) -> Store:
    """Open the store that the settings name. Raises StoreError if it can't be used.

    A database of a former schema version is migrated if `migrating`, and refused if not. Raises
    ChangedSagaError if a definition changed without a new version.
    """
    check_log(settings)
    store = Store(
        connect(settings.database),
        registry,
        settings.partitions,
        consumer_of(settings),
        entities=entities_of(services),
        group=settings.kafka_group if settings.kafka else CONSUMER,
        migrating=migrating,
    )
    try:
        check_definitions(store.db, registry)
    except BaseException:
        store.close()
        raise
    return store


def adapter_of(settings: Settings) -> tuple[AdapterFactory, Any]:
    """The adapter of the log that the settings name, and what it needs to reach it."""
    if settings.kafka:
        # Imported here, because Kafka's client takes long to load, and is only needed with Kafka.
        from order_sagas.bridges.processor.kafka import KafkaLogAdapter
        from order_sagas.system.kafka_settings import kafka_log

        return KafkaLogAdapter, kafka_log(settings)
    return EmbeddedLogAdapter, None


def open_context(
    parts: Parts,
    registry: Registry,
    tell: Callable[[Any], None],
) -> ProcessorContext:
    """Open the dependencies of the batch processor, in the process and thread where it runs."""
    store = open_store(parts.settings, registry, parts.services, parts.connect)
    url = parts.settings.database
    name = str(file_of(url) or parsed(url).render_as_string(hide_password=True))
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
        keep_outbox_events=_keep_outbox_events(parts.settings),
        keep_operator_actions=parts.settings.keep_operator_actions,
        approval_above=dict(parts.settings.approval_above),
        schedules=parts.schedules,
        keep_early_replies=parts.settings.keep_early_replies,
        most_early_replies=parts.settings.most_early_replies,
        shards=parts.shards,
        observers=parts.observers,
        tracing=parts.tracing,
        ring=partial(ring, parts.settings.database),
        log=adapter_of(parts.settings)[1] if parts.log is None else parts.log,
        roles=roles_of(parts.services),
        wire_forms=wire_forms_of(parts.settings, registry),
    )


def _keep_outbox_events(settings: Settings) -> float | None:
    """Return how long records for change data capture are kept, in seconds; None: none are."""
    captured = settings.kafka and settings.publish == OUTBOX_TABLE
    return settings.keep_outbox_events if captured else None


def start(
    parts: Parts,
    actors: ActorSystem,
    on_failure: Callable[[BaseException], Any] = _no_op,
) -> RunningSystem:
    """Create the batch processor and the actors of this process's roles, and connect them.

    `on_failure` is called with the error, on the event loop's thread, if the system fails.
    """
    settings, registry = parts.settings, parts.registry
    processor = actors.createActor(parts.processor)
    running = RunningSystem(actors, processor, on_failure)
    coordinator = None
    here = parts.roles
    if ORCHESTRATOR in here:
        coordinator = actors.createActor(SagaCoordinator)
        actors.tell(coordinator, Coordinate(registry, processor, parts.clock, parts.outages))
    services: dict[str, ActorAddress] = {}
    for service in parts.services:
        if service.participant.role in here:
            services[service.participant.name] = actors.createActor(service)
    clients, now = _clients(parts, services), parts.clock.now()
    running.clients = tuple(clients.values())
    for name, client in clients.items():
        actors.tell(services[name], UseClient(client, now))
    adapter = parts.adapter or adapter_of(settings)[0]
    if parts.apart:
        opened = partial(open_context, parts, registry, _no_op)
        actors.tell(processor, Connect(opened, coordinator, services, adapter, apart=True))
    else:
        opened = partial(open_context, parts, registry, running.tell_processor)
        actors.tell(processor, Connect(opened, coordinator, services, adapter, running.fail))
    return running


def _clients(parts: Parts, names: Iterable[str]) -> dict[str, Any]:
    """Return the clients of these services, made by the app or given in the parts.

    Raises SettingError if the app fails to make one.
    """
    makers = parts.app.clients
    clients: dict[str, Any] = {}
    for name in names:
        if name in parts.clients:
            clients[name] = parts.clients[name]
        elif name in makers:
            try:
                clients[name] = makers[name](parts.settings)
            except Exception as error:
                problem = f"its client of {name!r} cannot be made: {error_text(error)}"
                raise SettingError("app", parts.settings.app, problem) from error
    return clients
