"""Messages between a worker and its batch processor. None of them is a record of a log."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from thespian.actors import ActorAddress

if TYPE_CHECKING:
    # A process that only requests a report need not load the store and the services.
    from order_sagas.bridges.processor.context import ProcessorContext
    from order_sagas.bridges.processor.log_adapter import AdapterFactory


def _nothing(*_: Any) -> None:
    return None


@attrs.frozen
class Connect:
    """The first message to a batch processor: its dependencies, and the actors it delivers to."""

    open_context: "Callable[[], ProcessorContext]"
    """Opens the dependencies; called in the process and thread where the processor runs."""
    coordinator: ActorAddress | None
    services: dict[str, ActorAddress]
    adapter: "AdapterFactory"
    """Makes the adapter of the log that is read and written."""
    fatal: Callable[[BaseException], None] = _nothing
    """Called with the error when the processor cannot continue."""
    apart: bool = False
    """Whether the processor has its own process, so that it sends itself the results of calls."""


@attrs.frozen
class Stop:
    """Commit the open batch and begin no other. The reply is `Stopped`."""


@attrs.frozen
class Stopped:
    """Reply to `Stop`: the last batch is committed, and log and database are closed."""


@attrs.frozen
class AskReport:
    """Request for a `Report`."""


@attrs.frozen
class Report:
    """Figures of a batch processor since it started."""

    shards: list[int]
    """The owned shards, ascending."""
    in_flight: int
    """Sagas in flight on those shards."""
    batches: int
    """Batches begun."""
    records: int
    """Records handled in committed batches."""
    ended: int
    """Sagas that reached a final state."""
    begun_rate: float
    """Sagas begun per second, over the last 5 to 10 seconds."""
    ended_rate: float
    """Sagas ended per second, over the same time."""
    dead_letters: int
    seconds: float
    """Seconds since it started."""
    last_error: str = ""
    """The last error of a batch; empty if there was none."""
    calls: dict[str, int] = attrs.field(factory=dict)
    """External calls under way, by service."""
    stale_acks: int = 0
    """Acknowledgements that were ignored because their batch had been rolled back."""
    pruned: int = 0
    """Orders that were pruned."""
    early_replies: int = 0
    """Replies that came too early and are kept."""
    begun: int = 0
    """Sagas begun."""
    cancelled: int = 0
    """Of the sagas that ended, those that were cancelled."""
    durations: list[int] = attrs.field(factory=list)
    """Number of sagas that ended, by the bucket of their duration (`bridges.durations`)."""
    stopped_shards: int = 0
    """Assigned shards that are not read, because their topics were replaced or lost records."""


@attrs.frozen
class RecordsWaiting:
    """There may be records to read: begin a batch."""
