"""A timeline as plain data, for JSON."""

from typing import Any

import attrs

from order_sagas.actors.clock import iso
from order_sagas.system.cli.public_json import public
from order_sagas.system.trace.timeline import SagaTimeline, Span, Timeline, Transition


def timeline_fields(timeline: Timeline) -> dict[str, Any]:
    """Return all fields of the timeline, in camelCase, as plain data.

    `at` and `started` are ISO 8601, other times seconds since the start of the saga. `details` are
    the values of log lines under their names there, in camelCase too.
    """
    return {
        "orderId": timeline.order_id,
        "sagas": [_saga(each) for each in timeline.sagas],
        "others": [_transition(each) for each in timeline.others],
    }


def _saga(saga: SagaTimeline) -> dict[str, Any]:
    return {
        "saga": saga.saga,
        "sagaId": saga.saga_id,
        "version": saga.version,
        "started": None if saga.started is None else iso(saga.started),
        "whole": saga.whole,
        "outcome": saga.outcome,
        "transitions": [_transition(each) for each in saga.transitions],
        "spans": [_plain(each) for each in saga.spans],
    }


def _transition(transition: Transition) -> dict[str, Any]:
    at = None if transition.at is None else iso(transition.at)
    return {**_plain(transition), "at": at, "details": public(transition.details)}


def _plain(part: Transition | Span) -> dict[str, Any]:
    """Return the fields of a part, none of whose names has two words."""
    return {
        name: round(value, 3)
        if name in ("offset", "began", "ended") and value is not None
        else value
        for name, value in attrs.asdict(part, recurse=False).items()
    }
