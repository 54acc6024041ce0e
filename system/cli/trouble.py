"""The first lines of `status`: problems that need a person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from order_sagas.actors.words import many
from order_sagas.bridges.operations.dead_letters import DeadLetterReader
from order_sagas.bridges.operations.letters import DeadLetterFilter
from order_sagas.bridges.operations.stuck import StuckGroup
from order_sagas.system.log_client import LogAccess

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@attrs.frozen
class OpenLetters:
    """Dead letters that were neither replayed nor discarded."""

    open: int
    oldest: str | None
    """When the oldest was written, in ISO 8601; None if there is none."""


def open_letters(log: LogAccess) -> OpenLetters:
    """Count the open dead letters. Raises KafkaClientError if Kafka does not answer."""
    if not log.dead_letters():
        return OpenLetters(0, None)  # without reading the topic
    found = DeadLetterReader(log.letters()).choose(DeadLetterFilter())
    return OpenLetters(len(found), found[0].time or None if found else None)


def stopped(in_flight: int, waiting: int) -> str:
    """Describe the work that waits because no system runs; "" if there is none.

    `in_flight` are the sagas that need no attention, `waiting` the records not handled yet.
    """
    verb = "waits" if (waiting or in_flight) == 1 else "wait"
    if waiting:
        return f"no system runs: {many(waiting, 'record')} {verb}"
    return f"no system runs: {many(in_flight, 'saga')} {verb}" if in_flight else ""


def in_short(
    now: float,
    attention: int,
    since: float | None,
    letters: OpenLetters | None,
    pauses: Sequence[dict[str, Any]],
    topic_problems: Sequence[str],
    lost: Sequence[str],
) -> str:
    """Return one line, such as `140 need attention, oldest 14 min; 32 dead letters`.

    "" if there is nothing. `now`, `since` and the `since` of pauses are epoch seconds.
    """
    told: list[str] = []
    if attention:
        verb = "needs" if attention == 1 else "need"
        age = f", oldest {_age(now - since)}" if since else ""
        told.append(f"{attention:,} {verb} attention{age}")
    if letters is None:
        away = "" if topic_problems else ": Kafka does not answer"
        told.append(f"dead letters unknown{away}")
    elif letters.open:
        told.append(many(letters.open, "dead letter"))
    told += [f"{each['name']} paused since {_since(each['since'], now)}" for each in pauses]
    if topic_problems:
        told.append(many(len(topic_problems), "problem of topics", "problems of topics"))
    if lost:
        told.append(f"{many(len(lost), 'order')} lost by Kafka")
    return "; ".join(told)


def in_group(group: StuckGroup, now: float) -> str:
    """Return a group of stuck sagas in one line; `now` is in epoch seconds.

    For example `140 x place-order, undo of process payment: no answer, since 00:39 UTC`.
    """
    place = f"undo of {group.step}" if group.code else group.step
    why = f"; compensated for {group.code}" if group.code else ""
    since = _since(group.since, now)
    return f"{group.count:,} x {group.saga}, {place}: {group.cause}, since {since}{why}"


def _age(seconds: float) -> str:
    """Return a time span in its largest whole unit, such as `14 min`."""
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= length:
            return f"{seconds // length:,.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _since(at: float, now: float) -> str:
    """Return a time of the last 24 hours as `09:12 UTC`, one before them with its date."""
    form = "%H:%M UTC" if now - at < DAY else "%Y-%m-%d %H:%M UTC"
    return f"{datetime.fromtimestamp(at, UTC):{form}}"
