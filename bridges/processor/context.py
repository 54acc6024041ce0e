"""What a bridge needs of the outside, opened in the process where the bridge runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from order_sagas.actors.clock import Clock
from order_sagas.actors.sagas.outages import Outages
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.service import Service
from order_sagas.bridges.outage_journal import OutageJournal
from order_sagas.bridges.processor.call_runners import CallRunner
from order_sagas.bridges.processor.observers import Observer, Tracing
from order_sagas.bridges.records.codec import MessageCodec
from order_sagas.bridges.records.routing import Routes
from order_sagas.bridges.records.wire_forms import WireForm
from order_sagas.bridges.storage.store import Store


def _nothing(*_: Any) -> None:
    return None


@attrs.frozen
class ProcessorContext:
    """The collaborators of one bridge. `tell` sends it a message from any thread.

    `flush` writes the log lines of the batch, just before its commit. `watch` is told of each
    point at which a crash would matter: "before commit", "after commit", "after publish".
    """

    store: Store
    wire: MessageCodec
    routes: Routes
    registry: Registry
    services: Sequence[type[Service]]
    clock: Clock
    call_runner: CallRunner
    call_capacity: int
    """External calls of one service that may be under way."""
    tell: Callable[[Any], None] = _nothing
    flush: Callable[[], None] = _nothing
    watch: Callable[[str], None] = _nothing
    batch_size: int = 500
    outages: Outages = attrs.field(factory=Outages)
    journal: OutageJournal | None = None
    """What workers noted of outages; None where nobody notes any."""
    keep_finished: float | None = None
    """Seconds for which finished orders are kept; None for ever."""
    keep_idempotency_keys: float | None = None
    """The same of the keys that clients brought orders with."""
    shards: frozenset[int] | None = None
    """The shards that are this worker's for good; None for all, or for those that Kafka assigns."""
    observers: Sequence[Observer] = ()
    tracing: Tracing | None = None
    ring: Callable[[], Any] = _nothing
    """Tells the other workers that records wait for them."""
    wire_forms: Mapping[str, WireForm] = attrs.field(factory=dict)
    """How values are written to topics whose records are not plain."""
    log: Any = None
    """What the kind of bridge needs to reach its log: a `ClientPort` for the one to Kafka."""
    roles: Mapping[str, str] = attrs.field(factory=dict)
    """The role that runs each receiver of messages, those included that run elsewhere."""
