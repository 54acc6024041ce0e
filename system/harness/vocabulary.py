"""The names that faults are drawn from: statuses of records, services, topics of an app."""

from collections.abc import Iterator, Sequence

import attrs
import msgspec

from order_sagas.actors.messages import status
from order_sagas.actors.sagas.registry import Registry


@attrs.frozen
class Vocabulary:
    """What the faults of a plan may be about."""

    waited_for: Sequence[str]
    """Statuses of records whose loss is detected by a deadline. Plans lose no others, since no log
    does."""
    every: Sequence[str]
    """Statuses of all records that may be repeated, delayed and reordered."""
    twice: Sequence[str]
    """Those of `every` that are sent to two participants for one order."""
    overtaken: Sequence[str]
    """Statuses of commands with a compensation that can overtake them."""
    services: Sequence[str]
    """Participants whose service may decline, lose replies, or be slow."""
    answering: Sequence[str]
    """Participants whose service may be silent or answer twice."""
    raising: Sequence[str]
    """Participants whose service may raise."""
    commands: Sequence[tuple[str, str]]
    """Commands for which a handler may raise: participant and status."""
    topics: Sequence[str]
    """Topics to which junk is written."""
    junk: Sequence[str]
    """Values of such records; `{order}` is an order id."""


_JUNK = ('{"orderId":"","status":"START"}', '{"status":', "[]")

ORDER_BUSINESS = Vocabulary(
    waited_for=(
        "PROCESS_PAYMENT", "PAYMENT_COMPLETED", "PAYMENT_FAILED",
        "RESERVE_STOCK", "STOCK_RESERVED", "STOCK_RESERVATION_FAILED",
        "ROLLBACK_PAYMENT", "PAYMENT_ROLLED_BACK", "ROLLBACK_STOCK", "STOCK_ROLLED_BACK",
        "ROLLBACK_ORDER", "ORDER_ROLLED_BACK",
    ),
    every=(
        "PROCESS_PAYMENT", "PAYMENT_COMPLETED", "PAYMENT_FAILED",
        "RESERVE_STOCK", "STOCK_RESERVED", "STOCK_RESERVATION_FAILED",
        "ROLLBACK_PAYMENT", "PAYMENT_ROLLED_BACK", "ROLLBACK_STOCK", "STOCK_ROLLED_BACK",
        "ROLLBACK_ORDER", "ORDER_ROLLED_BACK",
        "ORDER_CREATED", "ORDER_COMPLETED", "ORDER_CANCELLED", "ORDER_COMPLETED", "ORDER_CANCELLED",
    ),
    twice=("ORDER_COMPLETED", "ORDER_CANCELLED"),
    overtaken=("PROCESS_PAYMENT", "RESERVE_STOCK"),
    services=("payments", "stock"),
    answering=("payments", "stock", "orders"),
    raising=("payments", "stock", "orders", "notifications"),
    commands=(
        ("payments", "PROCESS_PAYMENT"), ("stock", "RESERVE_STOCK"),
        ("payments", "ROLLBACK_PAYMENT"),
    ),
    topics=("order-events", "payment-events", "stock-events"),
    junk=(
        '{"orderId":"{order}","status":"ORDER_CREATED"}',
        '{"orderId":"{order}","status":"ORDER_CREATED","lines":[{"sku":"X","quantity":1}]}',
        '{"orderId":"NOBODY","status":"PAYMENT_COMPLETED"}',
        '{"orderId":"NOBODY","status":"STOCK_ROLLED_BACK"}',
        '{"orderId":"","status":"ORDER_CREATED"}',
        '{"status":',
        "[]",
    ),
)  # fmt: skip
"""That of the order business. Plans of a seed are drawn from it in this order."""


class _Sent(msgspec.Struct, rename="camel"):
    """The fields of a sent record that tell what it is."""

    status: str
    saga_id: str = ""
    step: str = ""
    event_id: str = ""


_sent = msgspec.json.Decoder(_Sent)


def vocabulary_of(registry: Registry, sent: Sequence[bytes]) -> Vocabulary:
    """Derive the names from the definitions, and from the records of runs without faults.

    The definitions name every reply, but commands are made by functions: only records show them.
    """
    replies = {status(message) for message in registry.answered_by}
    starts = [status(message) for message in registry.started_by]
    participants = list(registry.participants())
    answered = _answered_steps(registry)
    commands: dict[tuple[str, str], bool] = {}
    undone: set[str] = set()
    told: set[str] = set()
    for record in map(_sent.decode, sent):
        place = (record.saga_id.partition("/")[0], record.step.partition("[")[0])
        if record.status in replies or record.status in starts:
            continue
        found = answered.get(place)
        if found is None:
            told.add(record.status)
            continue
        participant, has_undo, done, acknowledged = found
        is_undo = ":undo/" in record.event_id
        if acknowledged if is_undo else done:
            commands[participant, record.status] = has_undo and not is_undo
            if is_undo:
                undone.add(record.status)
        else:
            told.add(record.status)
    waited_for = sorted({name for _, name in commands} | replies)
    services = sorted({participant for participant, _ in commands}) or participants
    return Vocabulary(
        waited_for=waited_for,
        every=[*waited_for, *starts, *sorted(told)],
        twice=(),
        overtaken=sorted(name for (_, name), overtakes in commands.items() if overtakes)
        or waited_for,
        services=services,
        answering=services,
        raising=participants,
        commands=sorted(commands) or [(name, "") for name in participants],
        topics=sorted({each.topic for each in registry.participants().values() if each.topic}),
        junk=[each.replace("START", starts[0]) for each in _JUNK],
    )


def _answered_steps(registry: Registry) -> dict[tuple[str, str], tuple[str, bool, bool, bool]]:
    """For each step: its participant, and whether it has an undo, a reply, an acknowledged undo."""

    def steps() -> Iterator[tuple[tuple[str, str], tuple[str, bool, bool, bool]]]:
        for saga in registry:
            for step in saga.rows:
                answered = (
                    step.to.name,
                    step.undo is not None,
                    step.done is not None,
                    step.undone is not None,
                )
                yield (saga.name, step.name), answered

    return dict(steps())
