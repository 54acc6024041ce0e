"""The names that faults are drawn from: statuses of records, services, topics of an app."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from order_sagas.actors.messages import status
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.rows import Each, Wait
from order_sagas.actors.sagas.step import Step
from order_sagas.system.harness.known_names import declining


@attrs.frozen
class Vocabulary:
    """The names that the faults of a plan may use."""

    waited_for: Sequence[str]
    """Statuses of records whose loss is detected by a deadline. Plans do not lose other records,
    because a log does not lose records."""
    every: Sequence[str]
    """Statuses of all records that may be repeated, delayed and reordered."""
    twice: Sequence[str]
    """Those of `every` that are sent to two participants for one order."""
    overtaken: Mapping[str, float]
    """Statuses of commands with a compensation that can overtake them, and the seconds after which
    a saga that gets no reply has sent the compensation."""
    services: Sequence[str]
    """Participants whose service may lose replies, or be slow."""
    declining: Sequence[str]
    """Participants whose service may decline."""
    answering: Sequence[str]
    """Participants whose service may be silent or answer twice."""
    raising: Sequence[str]
    """Participants whose service may raise."""
    commands: Sequence[tuple[str, str]]
    """Commands for which a handler may raise: participant and status."""
    topics: Sequence[str]
    """Topics to which junk is written."""
    junk: Sequence[str]
    """Values of junk records; `{order}` is an order id."""
    overtaking: int = 2
    """Weight of delays by which a compensation overtakes its command, among 35 of other faults."""


OVERTAKEN_AFTER = 100.0
"""Seconds for the commands of the order business, whose steps give up after 30 to 100."""

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
    overtaken={"PROCESS_PAYMENT": OVERTAKEN_AFTER, "RESERVE_STOCK": OVERTAKEN_AFTER},
    services=("payments", "stock"),
    declining=("payments", "stock"),
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
"""The vocabulary of the order business. Plans of a seed are drawn from it in this order."""


class _Sent(msgspec.Struct, rename="camel"):
    """The fields that identify a sent record."""

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
    steps = _steps(registry)
    commands: dict[tuple[str, str], None] = {}
    overtaken: dict[str, float] = {}
    told: set[str] = set()
    for record in map(_sent.decode, sent):
        place = (record.saga_id.partition("/")[0], record.step.partition("[")[0])
        if record.status in replies or record.status in starts:
            continue
        step = steps.get(place)
        is_undo = ":undo/" in record.event_id
        if step is None or (step.undone if is_undo else step.done) is None:
            told.add(record.status)
            continue
        commands[step.to.name, record.status] = None
        if step.undo and not is_undo:
            longest = max(_given_up_after(step), overtaken.get(record.status, 0.0))
            overtaken[record.status] = longest
    waited_for = sorted({name for _, name in commands} | replies)
    services = sorted({participant for participant, _ in commands}) or participants
    return Vocabulary(
        waited_for=waited_for,
        every=[*waited_for, *starts, *sorted(told)],
        twice=(),
        overtaken=dict(sorted(overtaken.items())) or dict.fromkeys(waited_for, OVERTAKEN_AFTER),
        services=services,
        declining=[name for name in services if name in declining(registry)],
        answering=services,
        raising=participants,
        commands=sorted(commands) or [(name, "") for name in participants],
        topics=sorted({each.topic for each in registry.participants().values() if each.topic}),
        junk=[each.replace("START", starts[0]) for each in _JUNK],
        overtaking=6,
    )


def _steps(registry: Registry) -> dict[tuple[str, str], Step[Any, Any]]:
    """The steps by the names of their saga and their own, or that of their items.

    Not waits: what they send is a reminder, which has no reply.
    """
    return {
        (saga.name, step.item_name if isinstance(step, Each) else step.name): step
        for saga in registry
        for step in saga.rows
        if not isinstance(step, Wait)
    }


def _given_up_after(step: Step[Any, Any]) -> float:
    """The seconds after which a step that gets no reply is compensated, at most."""
    retry, within = step.retry, step.within or 0.0
    waits = (retry.wait_after(attempt, "") or 0.0 for attempt in range(1, retry.attempts))
    questions = retry.attempts if step.ask else 0
    return within * (retry.attempts + questions) + sum(waits)
