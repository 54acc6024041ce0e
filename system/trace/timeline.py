"""The history of an order as data: its sagas, their transitions, and the durations of steps.

Lines are written just before the commit they belong to. After a crash the log can therefore contain
transitions that were rolled back and repeated. Sequence numbers resolve this: a later line with
number n replaces every earlier line of that saga with number n or more.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

IGNORED = "saga.message_ignored"
NO_TRANSITION = frozenset({IGNORED, "record.dead_lettered"})
"""Events that change no saga. They may come long after its end."""
Outcome = Literal["running", "completed", "cancelled", "needs attention"]

_COMMON = frozenset(
    {"timestamp", "level", "event", "saga", "saga_id", "order_id", "seq", "cause", "step"}
    | {"attempt"}
)


@attrs.frozen(kw_only=True)
class Transition:
    """One log line of a saga: a transition of its state."""

    event: str
    at: float | None
    """Seconds since the epoch; None if the timestamp is missing or invalid."""
    offset: float | None
    """Seconds since the start of the saga, or since its first line that still exists."""
    seq: int | None
    step: str | None
    attempt: int | None
    cause: str | None
    """Id of the event that caused it, or `timer:<step>:<attempt>`."""
    undoing: bool
    """True if the saga is compensating, from this transition on or since an earlier one."""
    details: Mapping[str, Any]
    """All other keys of the line."""


@attrs.frozen(kw_only=True)
class Span:
    """The time from sending a step's command, or its compensation, until the reply."""

    step: str
    undo: bool
    began: float
    """Seconds since the start of the saga, as a transition's offset."""
    ended: float | None
    """Seconds since the start of the saga; None if no reply is logged."""
    attempts: int
    result: str
    """`done`, `failed`, `undone`, `timed out`, or `sent` if there is no reply so far."""


@attrs.frozen(kw_only=True)
class SagaTimeline:
    """One saga of the order, or a child of one: it may have an order id of its own."""

    saga: str
    saga_id: str
    order_id: str
    version: int | None
    started: float | None
    """Seconds since the epoch."""
    whole: bool
    """False if its first lines are no longer in the logs."""
    outcome: Outcome
    transitions: tuple[Transition, ...]
    spans: tuple[Span, ...]

    @property
    def duration(self) -> float:
        """Seconds from the first line of the saga to its last transition."""
        offsets = (t.offset for t in self.transitions if t.event not in NO_TRANSITION)
        return max((offset for offset in offsets if offset is not None), default=0.0)


@attrs.frozen(kw_only=True)
class Timeline:
    """Everything in the logs about one order."""

    order_id: str
    sagas: tuple[SagaTimeline, ...]
    others: tuple[Transition, ...]
    """Lines about the order that belong to no known saga; offsets are from the first of them."""

    @classmethod
    def from_lines(cls, order_id: str, lines: Iterable[Mapping[str, Any]]) -> "Timeline":
        """Build a timeline from lines in the order they were written."""
        lines = list(lines)
        known = {line.get("saga_id") for line in lines if line.get("event") != IGNORED}
        by_saga: dict[str, list[Mapping[str, Any]]] = {}
        others = []
        for line in lines:
            if line.get("saga_id") and line["saga_id"] in known:
                by_saga.setdefault(str(line["saga_id"]), []).append(line)
            else:
                others.append(line)
        return cls(
            order_id=order_id,
            sagas=tuple(_saga(saga_id, lines) for saga_id, lines in by_saga.items()),
            others=_transitions(others, start=_time(lines[0].get("timestamp")) if lines else None),
        )


def in_force(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a saga's lines without rolled back ones; see the module docstring."""
    kept: list[Mapping[str, Any]] = []
    highest = 0
    for line in lines:
        number = _whole(line.get("seq"))
        if number is not None and line.get("event") != IGNORED:
            if number <= highest:
                kept = [old for old in kept if (_whole(old.get("seq")) or 0) < number]
            highest = number
        elif number is not None:
            highest = max(highest, number)
        kept.append(line)
    return kept


def _saga(saga_id: str, lines: list[Mapping[str, Any]]) -> SagaTimeline:
    lines = in_force(lines)
    started = next((line for line in lines if line.get("event") == "saga.started"), None)
    transitions = _transitions(lines, start=_time((started or lines[0]).get("timestamp")))
    return SagaTimeline(
        saga=next((str(line["saga"]) for line in lines if "saga" in line), "saga"),
        saga_id=saga_id,
        order_id=next((str(line["order_id"]) for line in lines if line.get("order_id")), ""),
        version=_whole(started.get("version")) if started else None,
        started=_time((started or lines[0]).get("timestamp")),
        whole=started is not None,
        outcome=_outcome(transitions),
        transitions=transitions,
        spans=tuple(_Spans().of(transitions)),
    )


def _outcome(transitions: Iterable[Transition]) -> Outcome:
    """Return the outcome; a saga needs attention as long as one of its steps is stuck.

    A child saga that has completed can be undone by its parent.
    """
    stuck: set[str | None] = set()
    ended: Outcome | None = None
    for transition in transitions:
        match transition.event:
            case "saga.completed":
                ended = "completed"
            case "saga.cancelled":
                ended = "cancelled"
            case "saga.undo_asked":
                ended = None
            case "saga.needs_attention":
                stuck.add(transition.step)
            case "saga.operator" if transition.step is None:
                stuck.clear()
            case "saga.operator" | "saga.step_completed" | "saga.step_undone":
                stuck.discard(transition.step)
    return ended or ("needs attention" if stuck else "running")


def _transitions(
    lines: Iterable[Mapping[str, Any]], start: float | None = None
) -> tuple[Transition, ...]:
    found = []
    undoing = False
    for line in lines:
        at = _time(line.get("timestamp"))
        start = at if start is None else start
        undoing = undoing or _turns_round(line)
        found.append(
            Transition(
                event=str(line.get("event", "")),
                at=at,
                offset=None if at is None or start is None else round(at - start, 6),
                seq=_whole(line.get("seq")),
                step=_text(line.get("step")),
                attempt=_whole(line.get("attempt")),
                cause=_text(line.get("cause")),
                undoing=undoing,
                details={key: value for key, value in line.items() if key not in _COMMON},
            )
        )
    return tuple(found)


def _turns_round(line: Mapping[str, Any]) -> bool:
    """True for a line that starts compensation, or that only a compensating saga writes."""
    event = str(line.get("event"))
    cancels = event == "saga.operator" and line.get("action") == "cancel"
    return cancels or bool(line.get("undo")) or "undo" in event


class _Spans:
    """Derives the spans of commands and compensations from transitions."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, bool], Span] = {}

    def of(self, transitions: Iterable[Transition]) -> list[Span]:
        for now in transitions:
            offset = now.offset or 0.0
            if now.step is not None:
                self._answer(now, now.step, offset)
            for step in sent(now):
                self._begin(step, now.undoing, offset)
        return sorted(self._all.values(), key=lambda span: span.began)

    def _answer(self, now: Transition, step: str, offset: float) -> None:
        kind = now.event.removeprefix("saga.")
        undo = "undo" in kind
        result = {
            "step_completed": "done",
            "step_failed": "failed",
            "step_undone": "undone",
            "step_timed_out": "timed out",
            "step_refused": "failed",
            "undo_timed_out": "timed out",
        }.get(kind)
        if result is None and not kind.endswith("_retried"):
            return
        span = self._all.get((step, undo))
        if span is None:  # the line that logged its sending is no longer there
            took = now.details.get("took")
            began = offset - took if isinstance(took, (int, float)) else offset
            span = Span(
                step=step, undo=undo, began=max(0.0, began), ended=None, attempts=1, result="sent"
            )
        attempts = max(span.attempts, now.attempt or 1)
        if result is None or now.details.get("retry_in") is not None:
            span = attrs.evolve(span, attempts=attempts, ended=None, result="sent")
        else:
            span = attrs.evolve(span, attempts=attempts, ended=offset, result=result)
        self._all[step, undo] = span

    def _begin(self, step: str, undo: bool, offset: float) -> None:
        if (step, undo) not in self._all:
            self._all[step, undo] = Span(
                step=step, undo=undo, began=offset, ended=None, attempts=1, result="sent"
            )


def sent(transition: Transition) -> tuple[str, ...]:
    """Return the names of the steps whose command or compensation this transition sent."""
    names = transition.details.get("sent")
    return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _time(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return None
