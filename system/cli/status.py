"""`order-sagas status`: show the state of a running system."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import click
import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.words import many
from order_sagas.bridges.errors import KafkaClientError
from order_sagas.bridges.operations import Paused, pauses_that_last
from order_sagas.bridges.operations.far_deadlines import any_far, far_deadlines
from order_sagas.bridges.operations.paused_steps import ServicesOfSteps
from order_sagas.bridges.operations.stuck import StuckGroup, groups_of, stuck_sagas
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.deadlines import Deadlines, IsPaused, deadlines
from order_sagas.bridges.storage.instance_lock import running_process
from order_sagas.bridges.storage.lag import Lag
from order_sagas.system.cli.output import console, echo, plain_table, print_json
from order_sagas.system.cli.pause import in_words
from order_sagas.system.cli.public_json import ByName
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.cli.tables import FieldsList
from order_sagas.system.cli.trouble import (
    OpenLetters,
    in_group,
    in_short,
    open_letters,
    stopped,
)
from order_sagas.system.disk_space import full_disks
from order_sagas.system.http_registry import HttpRegistration, http_registrations
from order_sagas.system.log_client import log_access
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.supervision.control_client import ask_status
from order_sagas.system.supervision.messages import Status, WorkerStatus
from order_sagas.system.supervision.run_registry import Run

SHOWN = 10
"""Maximum number of lost orders, and of groups of stuck sagas, that are printed; JSON has all."""


@click.command("status")
@settings_options("app", "database", "log_dir", "kafka", "partitions")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; with --watch, one line per second."
)
@click.option("--watch", is_flag=True, help="Print it again every second until Ctrl-C.")
def status_command(settings: Settings, as_json: bool, watch: bool) -> None:
    """Show the state of a running system: workers, shards, sagas in flight, rates, last error.

    The first line lists problems for a person: work that waits although no system runs, sagas
    that need attention, open dead letters, pauses, topics that are not read, and lost orders. The
    HTTP processes of `order-sagas http` and `start --http` are listed too. Rates are averages of
    the last seconds. A timer is due if the deadline of a saga has passed and is not handled yet;
    deadlines of sagas that wait for a paused service are postponed. Waiting records are those that
    no worker has handled yet.

    Exit codes: 0 a system runs, 1 none runs.
    """
    if watch and as_json:
        while True:
            print_json(as_fields(look(settings)), indent=False)
            time.sleep(1.0)
    if watch:
        with Live(console=console(), auto_refresh=False) as live:
            while True:
                live.update(Group(*_shown(look(settings))), refresh=True)
                time.sleep(1.0)
    found = look(settings)
    if as_json:
        print_json(as_fields(found))
    else:
        console().print(*_shown(found), sep="\n")
    if found.pid is None and not found.runs:
        echo(f"No system runs on this database. Start one: {suggestion('start')}", err=True)
        click.get_current_context().exit(1)


@attrs.frozen
class Look:
    """State of a system at one moment."""

    pid: int | None
    """Process id of the system that has locked an SQLite database; None if there is none."""
    runs: Mapping[Run, Status]
    attention: int
    """Sagas that need attention."""
    attention_since: float | None
    """When the oldest of them began, in epoch seconds."""
    stuck: list[StuckGroup]
    """The sagas that need attention, in groups."""
    letters: OpenLetters | None
    """Dead letters that were neither replayed nor discarded; None if Kafka does not answer."""
    in_flight: int
    deadlines: Deadlines
    lag: Lag | None
    """Number of records not handled yet; None if Kafka does not answer."""
    paused: list[dict[str, Any]]
    http: list[HttpRegistration]
    problems: list[str] = attrs.field(factory=list)
    """What is wrong with Kafka's topics, one text each."""
    lost: list[str] = attrs.field(factory=list)
    """Accepted orders whose start is no longer in Kafka."""
    full: list[str] = attrs.field(factory=list)
    """Full file systems of the database or the logs, one text each."""
    far_deadlines: int = 0
    """Number of sagas whose deadlines were set by a clock that was ahead."""
    early: int = 0
    """Number of replies that are kept because they came too early."""
    stopped: str = ""
    """Work that waits because no system runs on the embedded log; "" without any."""

    @property
    def workers(self) -> list[WorkerStatus]:
        """The workers of all runs."""
        return [worker for status in self.runs.values() for worker in status.workers]

    @property
    def last_error(self) -> str:
        """The last error of a supervisor, or else of a worker; "" if there is none."""
        errors = [status.last_error for status in self.runs.values()]
        errors += [worker.report.last_error for worker in self.workers if worker.report]
        return next(filter(None, errors), "")


def look(settings: Settings) -> Look:
    """Collect the state from the supervisors, the database and, if configured, Kafka."""
    log = log_access(settings)
    problems: list[str] = []
    lost: list[str] = []
    with queries.reading(settings.database) as db:
        in_flight, attention = queries.in_flight(db), queries.attention_count(db)
        # The app is loaded only if it is needed.
        stuck = groups_of(stuck_sagas(db, registry_of(settings))) if attention[0] else []
        pauses, early = pauses_that_last(db), queries.early_count(db)
        now = time.time()
        due = deadlines(db, now, _waits_for(pauses, settings) if pauses else None)
        far = far_deadlines(db, registry_of(settings), now) if any_far(db, now) else []
    letters: OpenLetters | None = None
    try:
        problems = [str(each) for each in log.problems()]
        letters = open_letters(log)
        lag: Lag | None = log.lag()
        lost = log.lost_orders()
    except KafkaClientError:
        lag = None
    pid, runs = running_process(settings.database), ask_status(settings)
    registrations, paused = http_registrations(settings), [attrs.asdict(each) for each in pauses]
    waits = ""
    if not (pid or runs or settings.kafka):
        waits = stopped(in_flight - attention[0], sum(lag.topics.values()) if lag else 0)
    return Look(
        pid, runs, *attention, stuck, letters, in_flight, due, lag, paused, registrations,
        problems, lost, full_disks(settings), len(far), early, waits,
    )  # fmt: skip


def _waits_for(pauses: Sequence[Paused], settings: Settings) -> IsPaused:
    names = {each.name for each in pauses}
    services = ServicesOfSteps(registry_of(settings))
    return lambda saga, step: services.paused(saga, step, names) is not None


def as_fields(found: Look) -> dict[str, Any]:
    """Return the state as the fields of the JSON output."""
    reports = [worker.report for worker in found.workers if worker.report]
    waiting = None if found.lag is None else sum(found.lag.topics.values())
    return {
        "needs_attention": {
            "sagas": found.attention,
            "oldest": found.attention_since,
            "groups": [attrs.asdict(group) for group in found.stuck],
        },
        "dead_letters": None if found.letters is None else attrs.asdict(found.letters),
        "pid": found.pid,
        "workers": [_worker_fields(worker) for worker in found.workers],
        "http": [attrs.asdict(each) for each in found.http],
        "sagas_in_flight": found.in_flight,
        "records_waiting": waiting,
        "lag": None if found.lag is None else ByName(found.lag.topics),
        "lag_by_role": None if found.lag is None else ByName(found.lag.roles),
        "timers": attrs.asdict(found.deadlines),
        "early_replies": found.early,
        "orders_per_second": round(sum(report.begun_rate for report in reports), 1),
        "ended_per_second": round(sum(report.ended_rate for report in reports), 1),
        "paused": found.paused,
        "topic_problems": found.problems,
        "lost_orders": found.lost,
        "full_disks": found.full,
        "far_deadlines": found.far_deadlines,
        "last_error": found.last_error,
    }


def _worker_fields(worker: WorkerStatus) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(worker)
    if fields["report"]:
        del fields["report"]["durations"]  # counts by bucket, for the history
    return fields


def _shown(found: Look) -> list[RenderableType]:
    columns = (
        "worker", "process", "shards", "in flight", "ended", "orders/s", "ended/s", "CPU s",
        "restarts",
    )  # fmt: skip
    table = plain_table(*columns, numbers=columns[3:])
    for worker in found.workers:
        number, report = str(worker.number), worker.report
        if report is None:
            process = f"{worker.pid}, {worker.state}" if worker.pid else worker.state
            table.add_row(number, process, *[""] * 5, str(worker.restarts))
            continue
        table.add_row(
            number,
            str(worker.pid),
            _ranges(report.shards),
            f"{report.in_flight:,}",
            f"{report.ended:,}",
            f"{report.begun_rate:,.0f}",
            f"{report.ended_rate:,.0f}",
            f"{worker.cpu:,.1f}",
            str(worker.restarts),
        )
    lines = FieldsList(_lines(found), style="")
    trouble = _trouble(found)
    first = Text(trouble, "bold red") if trouble else Text("Nothing needs attention.")
    workers: list[RenderableType] = [table, ""] if found.workers else []
    return [first, "", *workers, lines]


def _trouble(found: Look) -> str:
    told = in_short(
        SystemClock().now(), found.attention, found.attention_since, found.letters, found.paused,
        found.problems, found.lost,
    )  # fmt: skip
    return "; ".join(filter(None, (found.stopped, told)))


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers in ascending order, with ranges: `0-5, 8`."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, each)) for each in ranges)


def _lines(found: Look) -> list[tuple[str, str]]:
    now = SystemClock().now()
    due = found.deadlines
    timers = f"{due.due:,} due"
    if due.put_off:
        timers += f"; {due.put_off:,} put off, while a service is paused"
    if due.due:
        timers += f", the oldest for {due.late:,.1f} s"
    timers += "; no other" if due.next_in is None else f"; the next in {due.next_in:,.1f} s"
    roles: list[str] = []
    if found.lag is None:
        records = "unknown" if found.problems else "unknown: Kafka does not answer"
    else:
        topics = found.lag.topics
        each = [f"{topic} {count:,}" for topic, count in sorted(topics.items()) if count]
        records = f"{sum(topics.values()):,} waiting" + (f" ({', '.join(each)})" if each else "")
        for role, count in found.lag.roles.items():
            if count is None:
                roles.append(f"{role} was never started")
            elif count:
                roles.append(f"{role} {count:,} waiting")
    alone = found.pid and not found.workers
    lines = [("system", f"runs in process {found.pid}")] if alone else []
    lines += [("stuck", in_group(group, now)) for group in found.stuck[:SHOWN]]
    if len(found.stuck) > SHOWN:
        lines.append(("stuck", f"and {many(len(found.stuck) - SHOWN, 'more group')}: see --json"))
    lines += [("sagas", f"{found.in_flight:,} in flight"), ("timers", timers), ("records", records)]
    if found.early:
        lines.append(("early", f"{many(found.early, 'reply', 'replies')} kept for a later step"))
    if roles:
        lines.append(("roles", ", ".join(roles)))
    for served in found.http:
        again = f", started again {many(served.restarts, 'time')}" if served.restarts else ""
        lines.append(("http", f"{served.address}, process {served.pid}{again}"))
    lines += [("paused", in_words(each)) for each in found.paused]
    if found.far_deadlines:
        text = f"too far ahead for {many(found.far_deadlines, 'saga')}; see `deadlines repair`"
        lines.append(("clock", f"deadlines lie {text}"))
    lines += [("disk", each) for each in found.full]
    lost_lines = sum(worker.log_lines_lost for worker in found.workers)
    if lost_lines:
        lines.append(("logs", f"{many(lost_lines, 'line')} could not be written"))
    if found.problems:
        more = f" and {len(found.problems) - 1:,} more" if len(found.problems) > 1 else ""
        lines.append(("topics", f"{found.problems[0]}{more}; see `topics check`"))
    if found.lost:
        named = ", ".join(found.lost[:SHOWN]) + (", ..." if len(found.lost) > SHOWN else "")
        lost = many(len(found.lost), "order")
        lines.append(("lost", f"Kafka has no start of {lost}: {named}; submit them again"))
    for worker in found.workers:
        if worker.report and worker.report.last_error not in ("", found.last_error):
            lines.append(("error", f"worker {worker.number}: {worker.report.last_error}"))
    return [*lines, ("error", found.last_error)] if found.last_error else lines
