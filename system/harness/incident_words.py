"""Describes the events of a run in words: faults, errors, calls, writes."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import msgspec

from order_sagas.actors.entities import Entity
from order_sagas.system.harness import faults
from order_sagas.system.harness.faults import Fault
from order_sagas.system.harness.incidents import Called, DeadLetter, Raised, Start, Struck
from order_sagas.system.trace.phrases import duration

LONGEST = 60
"""Characters of a value that is shown whole."""


@singledispatch
def describe(event: Any, before: Any = None) -> str:
    """Describe an event. `before` is the entity as it was written before."""
    raise TypeError(f"unknown kind of event: {event}")


@describe.register
def _(event: Start, before: Any = None) -> str:
    return f"saga {event.saga_id} is stored"


@describe.register
def _(event: Struck, before: Any = None) -> str:
    what = f"{event.what} " if event.what else ""
    return f"{what}{effect(event.fault)}"


@describe.register
def _(event: Raised, before: Any = None) -> str:
    who = f"service {event.service!r}" if event.service else "the saga"
    place = f" ({event.place})" if event.place else ""
    return f"{who} raised {event.error} at {event.status}{place}"


@describe.register
def _(event: DeadLetter, before: Any = None) -> str:
    return f"dead letter of {event.status or 'a record'} to {event.topic}: {event.error}"


@describe.register
def _(event: Called, before: Any = None) -> str:
    troubles = {
        "before": ", which fails before it is made",
        "after": ", which is made and then fails",
        "lost": ", which is made, and its answer is lost",
    }
    return f"{event.service} calls {event.operation} with the key {event.key}" + (
        troubles.get(event.trouble, "")
    )


@describe.register
def _(event: Entity, before: Any = None) -> str:
    """The fields that differ from what was written before, or from their default."""
    changed = {}
    for field in msgspec.structs.fields(type(event)):
        value = getattr(event, field.name)
        known = getattr(before, field.name) if before is not None else field.default
        if value != known and field.name not in (*event.key, "updated_at"):
            changed[field.name] = value
    values = ", ".join(f"{name} {_short(value)}" for name, value in changed.items())
    return (
        f"{type(event).__name__} is {'' if before is None else 'now '}{values or 'written again'}"
    )


def effect(fault: Fault) -> str:
    """Describe what a fault does to its target."""
    return _EFFECTS[type(fault)](fault)


def _short(value: Any) -> str:
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _seconds(value: float) -> str:
    return duration(float(value)) if value else "at once"


def _down(value: float) -> str:
    return f"starts again {f'after {_seconds(value)}' if value else 'at once'}"


_EFFECTS: dict[type[Fault], Callable[[Any], str]] = {
    faults.Drop: lambda f: "is lost",
    faults.Duplicate: lambda f: f"arrives {f.times + 1} times, again after {_seconds(f.later)}",
    faults.Delay: lambda f: f"arrives {_seconds(f.seconds)} late",
    faults.Reorder: lambda f: "arrives after records that are written later",
    faults.Corrupt: lambda f: f"is damaged: {f.how}",
    faults.RefusedAsTooLarge: lambda f: "is refused by Kafka as too large",
    faults.Silent: lambda f: f"is not heard by {f.service}, which is silent",
    faults.Declines: lambda f: f"is declined by {f.service}",
    faults.LosesReplies: lambda f: f"is executed by {f.service}, and its reply is lost",
    faults.Slow: lambda f: f"is answered {_seconds(f.seconds)} late by {f.service}",
    faults.AnswersTwice: lambda f: f"is answered twice by {f.service}",
    faults.Raises: lambda f: f"makes {f.service} raise, on purpose",
    faults.LateAcks: lambda f: f"arrives {_seconds(f.seconds)} late",
    faults.Crash: lambda f: f"crashes {f.point}, and {_down(f.down)}",
    faults.Pause: lambda f: (
        f"is paused {f.point} for {_seconds(f.seconds)}"
        + ("" if f.whole else ", without its Kafka client")
    ),
    faults.Rebalance: lambda f: (
        f"leaves the group {f.point}, and joins it again after {_seconds(f.seconds)}"
        + (", its shards are lost" if f.lost else "")
    ),
    faults.CommitFails: lambda f: f"fails {f.where} the transaction",
    faults.ReadFails: lambda f: "fails: the database is unavailable",
    faults.LosesShard: lambda f: "is refused, as if another worker had claimed a shard",
    faults.CallFails: lambda f: f"fails: {f.how}",
    faults.ClockJump: lambda f: f"jumps by {f.seconds:+g} s",
    faults.ClockSkew: lambda f: f"is {f.seconds:+g} s ahead, gaining {f.drift:g} s per second",
    faults.AckFails: lambda f: (
        f"is not acknowledged by Kafka, and {'' if f.written else 'not '}written"
    ),
    faults.BrokerAway: lambda f: f"is unavailable for {_seconds(f.seconds)}",
    faults.WorkerStarts: lambda f: "joins the group",
    faults.WorkerStops: lambda f: (
        f"{'is killed' if f.killed else 'stops'}"
        + (f", and {_down(f.down)}" if f.down < faults.FOREVER else " for good")
    ),
    faults.Operator: lambda f: f"asks for {f.action}{f' of {f.step!r}' if f.step else ''}",
    faults.Put: lambda f: f"gets the record {_short(f.value)}",
}
"""For each kind of fault, what it does: the predicate of a sentence."""
