"""Dependencies of a batch processor, opened in the process where it runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from order_sagas.actors.clock import Clock
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.schedules import Schedule
from order_sagas.actors.services.service import Service
from order_sagas.bridges.processor.call_runners import CallRunner
from order_sagas.bridges.processor.observers import Observer, Tracing
from order_sagas.bridges.records.codec import MessageCodec
from order_sagas.bridges.records.routing import Routes
from order_sagas.bridges.records.wire_forms import WireForm
from order_sagas.bridges.storage.outage_journal import OutageJournal
from order_sagas.bridges.storage.store import Store


@attrs.frozen
class ProcessorContext:
    """The collaborators of one batch processor.

    `tell` sends it a message; it may be called from any thread. `flush` writes the buffered log
    lines, just before a commit. `watch` is called at each point at which a crash matters, with its
    name: "before commit", "after commit", "after publish".
    """

    store: Store
    wire: MessageCodec
    routes: Routes
    registry: Registry
    services: Sequence[type[Service]]
    clock: Clock
    call_runner: CallRunner
    call_capacity: int
    """Maximum number of external calls of one service that are under way."""
    tell: Callable[[Any], None]
    flush: Callable[[], None]
    watch: Callable[[str], None]
    batch_size: int
    outages: Outages
    journal: OutageJournal | None
    """Stores outages, so that they are known after a restart; None if they are not stored."""
    keep_finished: float | None
    """Seconds for which finished orders are kept; None to keep them for ever."""
    keep_idempotency_keys: float | None
    """Seconds for which clients' idempotency keys are kept; None to keep them for ever."""
    keep_outbox_events: float | None
    """Seconds for which rows of `outbox_events` are kept; None if no records are left there."""
    keep_operator_actions: float | None
    """Seconds for which rows of the log of operators' actions are kept; None: for ever."""
    approval_above: Mapping[str, int]
    """Amounts of orders in minor units, by currency, above which an operator's cancel, and what
    goes on with a compensation, needs the approval of a second person."""
    keep_early_replies: float
    """Seconds for which replies that came too early are kept; 0.0 to keep none."""
    most_early_replies: int
    """Maximum number of such replies that a worker keeps."""
    schedules: Sequence[Schedule]
    """What starts sagas at given times."""
    shards: frozenset[int] | None
    """The fixed shards of this worker; None for all shards, or for those that Kafka assigns."""
    observers: Sequence[Observer]
    tracing: Tracing | None
    ring: Callable[[], Any]
    """Notifies the other workers that there are records for their shards."""
    wire_forms: Mapping[str, WireForm]
    """How values are written to topics whose records are not plain."""
    log: Any
    """What the log adapter needs to reach its log: a `ClientPort` for Kafka, else None."""
    roles: Mapping[str, str]
    """The role of each receiver of messages, including receivers that run in other processes."""
