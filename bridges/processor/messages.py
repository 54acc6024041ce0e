"""What the processes of a system and its bridge say to each other; none of it is a record."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from thespian.actors import ActorAddress

if TYPE_CHECKING:
    # Whoever only asks for a report loads neither the store nor the services.
    from order_sagas.bridges.processor.context import ProcessorContext
    from order_sagas.bridges.processor.log_adapter import AdapterFactory


def _nothing(*_: Any) -> None:
    return None


@attrs.frozen
class Connect:
    """The bridge's first message: its world, and the actors it serves."""

    world: "Callable[[], ProcessorContext]"
    coordinator: ActorAddress | None
    services: dict[str, ActorAddress]
    adapter: "AdapterFactory"
    """Makes the adapter of the log that it reads and writes."""
    fatal: Callable[[BaseException], None] = _nothing
    """Told what went wrong when the bridge cannot go on."""
    apart: bool = False
    """Whether the bridge is in a process of its own, where nobody can tell it but itself."""


@attrs.frozen
class Stop:
    """Finish the batch, commit it, take no more; answered by `Stopped`."""


@attrs.frozen
class Stopped:
    """Nothing is under way any more."""


@attrs.frozen
class AskReport:
    """How are you doing? Answered by `Report`."""


@attrs.frozen
class Report:
    """A bridge since it started: what it handled, what it holds, and what went wrong last."""

    shards: list[int]
    in_flight: int
    batches: int
    records: int
    ended: int
    """Sagas that reached a final state."""
    begun_rate: float
    """Sagas begun in a second, of late."""
    ended_rate: float
    dead_letters: int
    seconds: float
    """Since it started."""
    last_error: str = ""
    calls: dict[str, int] = attrs.field(factory=dict)
    """External calls under way, by service."""
    stale_acks: int = 0
    """Acknowledgements for batches that had been rolled back: ignored."""
    pruned: int = 0
    """Orders that ended long ago, and were deleted."""
    stopped_shards: int = 0
    """Assigned shards that are not read, because their topics are not what they were."""


@attrs.frozen
class RecordsWaiting:
    """There may be records to read."""
