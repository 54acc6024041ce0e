"""What a batch has stored."""

from collections.abc import Iterable, Sequence

import attrs

from order_sagas.actors.entities import Entity
from order_sagas.actors.sagas.effects import OperatorOutcome
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.deferred import DeferredRecord
from order_sagas.bridges.storage.early_replies import EarlyReply
from order_sagas.bridges.storage.operator_actions import ActionRow
from order_sagas.bridges.storage.schedules import ScheduleRow


@attrs.define
class Changes:
    """All changes of one batch, stored in one transaction or not at all."""

    entities: Iterable[Entity] = ()
    sagas: Iterable[SagaState] = ()
    appended: list[tuple[Outgoing, int]] = attrs.field(factory=list)
    """Records for the embedded log, each with its value of `handled` (`storage.log_queues`)."""
    left: Sequence[tuple[Outgoing, str]] = ()
    """Records for the queues of roles that do not run here, each with the role."""
    outbox: list[tuple[int, Outgoing]] = attrs.field(factory=list)
    """Records for Kafka, each with the shard that caused it."""
    events: Sequence[Outgoing] = ()
    """Records for the table `outbox_events`, which change data capture publishes."""
    published: Sequence[int] = ()
    """Ids of outbox rows that an earlier batch stored and Kafka has acknowledged."""
    refused: Sequence[tuple[int, Outgoing]] = ()
    """Ids of outbox rows whose records are too large for Kafka, each with its dead letter."""
    offsets: dict[tuple[str, int], tuple[int, int]] = attrs.field(factory=dict)
    """(topic, partition) -> (before, after): offsets to compare and set, of the own consumer."""
    moves: Sequence[tuple[str, int, str, int, int]] = ()
    """The same for other consumers: (topic, partition, consumer, before, after)."""
    deferred: Sequence[DeferredRecord] = ()
    """Records to defer, for paused services."""
    redelivered: Sequence[int] = ()
    """Ids of deferred records that the batch delivered; they are deleted."""
    early: Sequence[EarlyReply] = ()
    """Replies to keep that came too early."""
    settled: Sequence[str] = ()
    """Ids of early replies that the batch delivered or gave up; they are deleted."""
    schedules: Sequence[ScheduleRow] = ()
    """How far schedules are settled, where that has changed."""
    operated: Sequence[OperatorOutcome] = ()
    """Outcomes of operators' commands."""
    held: Sequence[ActionRow] = ()
    """Operators' commands that wait for an approval."""
    epochs: dict[int, int] = attrs.field(factory=dict)
    """The owned shards, each with the epoch of its claim: the fencing tokens."""
