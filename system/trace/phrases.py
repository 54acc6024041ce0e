"""Describes transitions in words, for all renderers."""

from collections.abc import Callable, Mapping
from typing import Any

from order_sagas.system.trace.timeline import Transition, sent

_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "saga.started": lambda d: f"started{_by_parent(d)}",
    "saga.step_completed": lambda d: f"done{_in(d)}",
    "saga.step_failed": lambda d: f"failed{_in(d)}{_because(d)}",
    "saga.step_timed_out": lambda d: f"no answer{_after(d)}{_next(d)}",
    "saga.step_retried": lambda d: "sent again",
    "saga.step_undone": lambda d: f"undone{_in(d)}",
    "saga.undo_timed_out": lambda d: f"undo: no answer{_after(d)}{_next(d)}",
    "saga.undo_retried": lambda d: "undo: sent again",
    "saga.step_skipped": lambda d: f"skipped{_because(d)}",
    "saga.waiting": lambda d: f"waits{_for(d)}",
    "saga.reminded": lambda d: "reminder sent",
    "saga.outcome_asked": lambda d: f"no answer{_after(d)}, asked what became of it",
    "saga.command_lost": lambda d: f"the command never arrived{_again(d)}",
    "saga.step_refused": lambda d: f"failed after the pivot{_in(d)}{_because(d)}{_again(d)}",
    "saga.deadline_passed": lambda d: f"the deadline of the saga passed{_after(d)}{_because(d)}",
    "saga.needs_attention": lambda d: f"needs attention{_because(d)}",
    "reply.kept": lambda d: f"kept {d.get('status', 'a message')}{_because(d)}",
    "saga.message_ignored": lambda d: f"ignored {d.get('status', 'a message')}{_because(d)}",
    "saga.undo_asked": lambda d: f"undo asked for{_by(d)}",
    "saga.moved": lambda d: f"moved from version {d.get('before')} to {d.get('version')}{_by(d)}",
    "saga.operator": lambda d: f"operator: {d.get('action', '?')}{_by(d)}{_why(d)}",
    "external_call.failed": lambda d: f"{d.get('service')} {d.get('operation')}: {d.get('error')}",
    "record.dead_lettered": lambda d: f"dead letter of {d.get('status', '?')}: {d.get('error')}",
    "saga.completed": lambda d: f"completed{_in(d)}",
    "saga.cancelled": lambda d: f"cancelled{_after(d, 'took')}{_because(d)}",
}
_SAID = frozenset(
    {"took", "waited", "retry_in", "code", "reason", "status", "action", "by", "why"}
    | {"within", "wait"}
)
_SHOWN_ELSEWHERE = frozenset({"sent", "undo", "steps", "version", "parent", "before"})
_OF_ERRORS: Mapping[str, frozenset[str]] = {
    "external_call.failed": frozenset({"service", "operation", "error", "details"}),
    "record.dead_lettered": frozenset({"error", "details"}),
}


def phrase(transition: Transition) -> str:
    """Describe a transition in a few words. Unknown events are shown with all their fields."""
    details = transition.details
    sentence = _SENTENCES.get(transition.event)
    known = _SAID | _SHOWN_ELSEWHERE if sentence else _SHOWN_ELSEWHERE
    known |= _OF_ERRORS.get(transition.event, frozenset())
    rest = " ".join(f"{key}={value}" for key, value in details.items() if key not in known)
    said = sentence(details) if sentence else transition.event
    return f"{said}  {rest}" if rest else said


def follow_up(transition: Transition) -> str:
    """Describe what the transition caused: commands sent, or steps to be compensated."""
    parts = []
    undo = transition.details.get("undo")
    if isinstance(undo, (list, tuple)) and undo:
        parts.append(f"to undo: {', '.join(map(str, undo))}")
    elif names := sent(transition):
        parts.append(f"{'undo ' if transition.undoing else ''}{', '.join(names)}")
    return "; ".join(parts)


def duration(seconds: Any) -> str:
    """Format seconds for reading: `42 ms`, `1.25 s`, `30 s`, `4 min 10 s`, `2 h 5 min`."""
    if not isinstance(seconds, (int, float)):
        return str(seconds)
    if seconds < 0.9995:
        milliseconds = seconds * 1000
        return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2g} ms"
    if seconds < 59.995:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    return _two(whole // 3600, "h", whole % 3600 // 60, "min")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def _in(details: Mapping[str, Any]) -> str:
    return f" in {duration(details['took'])}" if "took" in details else ""


def _after(details: Mapping[str, Any], key: str = "waited") -> str:
    return f" after {duration(details[key])}" if key in details else ""


def _for(details: Mapping[str, Any]) -> str:
    if "wait" in details:
        return f" for {duration(details['wait'])}"
    return f" for {duration(details['within'])} at most" if "within" in details else ""


def _again(details: Mapping[str, Any]) -> str:
    wait = details.get("retry_in")
    return "" if wait is None else f", again in {duration(wait)}"


def _next(details: Mapping[str, Any]) -> str:
    wait = details.get("retry_in")
    return f", again in {duration(wait)}" if wait is not None else ", giving up"


def _because(details: Mapping[str, Any]) -> str:
    parts = [str(details[key]) for key in ("code", "reason") if details.get(key)]
    return f": {', '.join(parts)}" if parts else ""


def _by(details: Mapping[str, Any]) -> str:
    return f" by {details['by']}" if details.get("by") else ""


def _by_parent(details: Mapping[str, Any]) -> str:
    return f" by {details['parent']}" if details.get("parent") else ""


def _why(details: Mapping[str, Any]) -> str:
    return f" ({details['why']})" if details.get("why") else ""
