"""Renders a timeline as text on a terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from order_sagas.system.trace.phrases import duration, follow_up, phrase
from order_sagas.system.trace.timeline import SagaTimeline, Span, Timeline, Transition

BAR = 40
"""Maximum width in characters of the bar for the whole duration of a saga."""

WIDE = 110
"""Minimum width of the console for a separate column of causes."""

_MARKS: Mapping[str, tuple[str, str]] = {
    "saga.started": ("▶", "bold"),
    "saga.step_completed": ("✔", "green"),
    "saga.step_failed": ("✘", "red"),
    "saga.step_timed_out": ("◷", "yellow"),
    "saga.step_retried": ("↻", "yellow"),
    "saga.step_undone": ("↩", "magenta"),
    "saga.undo_timed_out": ("◷", "yellow"),
    "saga.undo_retried": ("↻", "yellow"),
    "saga.step_skipped": ("○", "dim"),
    "saga.waiting": ("…", "cyan"),
    "saga.reminded": ("↻", "yellow"),
    "saga.outcome_asked": ("?", "yellow"),
    "saga.command_lost": ("↻", "yellow"),
    "saga.step_refused": ("✘", "yellow"),
    "saga.deadline_passed": ("◷", "bold red"),
    "saga.needs_attention": ("!", "bold red"),
    "saga.message_ignored": ("·", "dim"),
    "saga.moved": ("⇒", "bold cyan"),
    "saga.operator": ("☞", "bold cyan"),
    "record.dead_lettered": ("✘", "bold red"),
    "saga.completed": ("■", "bold green"),
    "saga.cancelled": ("■", "bold red"),
}
_STYLES = {
    "running": "bold cyan",
    "completed": "bold green",
    "cancelled": "bold red",
    "needs attention": "bold red",
}


def render_text(timeline: Timeline, console: Console) -> None:
    """Print every saga of the order: one line per transition, then a bar per step duration."""
    for saga in timeline.sagas:
        console.print(Rule(_title(saga), align="left", style="dim"))
        console.print(_subtitle(saga))
        console.print()
        console.print(_table(saga.transitions, console.width))
        if saga.spans:
            console.print()
            console.print(Padding(_bars(saga, console.width), (0, 0, 0, 2)))
        console.print()
    if timeline.others:
        console.print(Rule(Text("Also logged of this order"), align="left", style="dim"))
        console.print(_table(timeline.others, console.width))


def _title(saga: SagaTimeline) -> Text:
    version = f" v{saga.version}" if saga.version is not None else ""
    return Text.assemble(
        ("Order ", "dim"), (saga.order_id, "bold"), ("  ", ""), f"{saga.saga}{version}", "  ",
        (saga.outcome, _STYLES[saga.outcome]), f" {'after' if saga.whole else 'in the last'} "
        f"{duration(saga.duration)}",
    )  # fmt: skip


def _subtitle(saga: SagaTimeline) -> Text:
    started = ""
    if saga.started is not None:
        moment = datetime.fromtimestamp(saga.started, UTC)
        started = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"
    when = f"started {started}" if saga.whole else f"beginning not in the logs; from {started}"
    return Text(f"  {when} · saga {saga.saga_id}", "dim")


def _table(transitions: tuple[Transition, ...], width: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim", no_wrap=True, min_width=9)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=3)
    table.add_column(overflow="fold", style="dim", justify="right", ratio=1)
    for transition in transitions:
        mark, style = _MARKS.get(transition.event, ("•", ""))
        text = _description(transition, style)
        cause = Text(f"⟵ {transition.cause}" if transition.cause else "", "dim")
        if width < WIDE:
            text, cause = Text.assemble(text, "  ", cause), Text()
        offset = _offset(transition.offset)
        table.add_row(offset, Text(mark, style), Text(transition.step or "", style), text, cause)
    return table


def _description(transition: Transition, style: str) -> Text:
    attempt = transition.attempt or 1
    text = Text(phrase(transition), style)
    if attempt > 1 or transition.event.endswith(("timed_out", "retried")):
        text.append(f" (attempt {attempt})", "dim")
    if next_up := follow_up(transition):
        text.append(f"  → {next_up}", "magenta" if transition.undoing else "blue")
    return text


def _offset(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if abs(seconds) < 3600:
        return f"{seconds:+.3f}s"
    hours, rest = divmod(round(seconds), 3600)
    return f"+{hours}:{rest // 60:02d}:{rest % 60:02d}"


def _bars(saga: SagaTimeline, width: int) -> Table:
    room = max(10, min(BAR, width - 60))
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(no_wrap=True)
    for span in saga.spans:
        name = f"undo {span.step}" if span.undo else span.step
        attempts = f"{span.attempts} attempts" if span.attempts > 1 else ""
        table.add_row(
            name, _bar(span, saga.duration, room), _length(span, saga), Text(attempts, "dim")
        )
    return table


def _bar(span: Span, whole: float, room: int) -> Text:
    scale = room / whole if whole > 0 else 0.0
    start = min(room - 1, int(span.began * scale))
    end = room if span.ended is None else int(span.ended * scale + 0.5)
    end = max(start + 1, min(room, end))
    styles = {"done": "green", "failed": "red", "undone": "magenta", "timed out": "yellow"}
    block = "┈" if span.ended is None else "━"
    return Text.assemble(
        ("·" * start, "dim"),
        (block * (end - start), styles.get(span.result, "dim")),
        ("·" * (room - end), "dim"),
    )


def _length(span: Span, saga: SagaTimeline) -> str:
    if span.ended is not None:
        return f"{duration(span.ended - span.began)} {span.result}"
    return "no reply yet" if saga.outcome == "running" else "no reply"
