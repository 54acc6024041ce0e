"""`--wait` of `submit` and `sagas start`: wait until all have ended, and print their outcomes."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.words import many
from order_sagas.bridges.logs.doorbell import ring
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.storage import queries
from order_sagas.system.cli.output import (
    console,
    echo,
    plain_table,
    print_json,
    report_if_interrupted,
    styled,
)
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings

ENDED = ("COMPLETED", "CANCELLED", "NEEDS_ATTENTION")
NEVER = ("NOT_HANDLED", "its record is among the dead letters")
BLOCK = 1000
"""Number of orders in one query."""
SHORTEST, LONGEST = 0.05, 0.5
"""Minimum and maximum seconds between two polls; slow polls lengthen the interval."""


@attrs.define
class Watch:
    """Numbers or ids of the orders that have not ended yet, and outcomes of those that have.

    Orders are handled in about the order of their numbers, so a poll stops at the first block in
    which no order has begun. Its cost depends on the progress since the last poll.
    """

    is_running: Callable[[], object]
    """Returns a true value if a system is running."""
    find: Callable[[sa.Connection, list[Any]], dict[Any, tuple[str, str]]]
    """Returns (status, code) of those that have begun."""
    all_handled: Callable[[sa.Connection], bool] = queries.all_handled
    """Returns True if every record up to the last submitted order has been handled."""
    noun: str = "order"
    pending: list[Any] = attrs.field(factory=list)
    outcomes: Counter[tuple[str, str]] = attrs.field(factory=Counter)

    def look(self, database: str) -> None:
        """Poll the database, and move orders that have ended from `pending` to `outcomes`."""
        with queries.reading(database) as db:
            # In one snapshot: if no record waits, an order without a saga will never get one.
            all_read = self.all_handled(db)
            kept: list[Any] = []
            for begin in range(0, len(self.pending), BLOCK):
                block = self.pending[begin : begin + BLOCK]
                found = self.find(db, block)
                for no in block:
                    outcome = found.get(no)
                    if outcome and outcome[0] in ENDED:
                        self.outcomes[outcome] += 1
                    elif outcome is None and all_read:
                        self.outcomes[NEVER] += 1
                    else:
                        kept.append(no)
                if not found and not all_read:
                    kept += self.pending[begin + BLOCK :]
                    break
            self.pending = kept


def watch_of(log: LogWriter, settings: Settings, saga: Saga[Any]) -> Watch:
    """Return a Watch for orders written to this log. Call it after the last one was written.

    `saga` is their saga, and `pending` has their numbers.
    """
    return _watch(log, settings, saga, partial(queries.outcomes, saga=saga.name))


def watch_of_sagas(log: LogWriter, settings: Settings, saga: Saga[Any]) -> Watch:
    """Return a Watch like `watch_of`, whose `pending` has ids of orders that may have no number."""
    found = _watch(log, settings, saga, partial(queries.saga_outcomes, saga=saga.name))
    return attrs.evolve(found, noun="saga")


def _watch(log: LogWriter, settings: Settings, saga: Saga[Any], find: Any) -> Watch:
    topic = saga.origin.topic
    ends, group, left = log.end(topic), settings.kafka_group, log.left
    if ends is None:
        return Watch(lambda: ring(settings.database), find)
    return Watch(
        lambda: log.running,
        find,
        lambda db: not left and queries.handled_up_to(db, topic, ends, group),
    )


def wait_for(watch: Watch, settings: Settings, as_json: bool, tally: Mapping[str, Any]) -> None:
    """Wait until every order has ended, then print the outcomes."""
    count = len(watch.pending)
    began = time.monotonic()
    shown = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeElapsedColumn(),
        console=shown, disable=not shown.is_terminal, transient=True,
    )  # fmt: skip
    with report_if_interrupted(lambda: _ended(watch, count)), bar:
        task = bar.add_task(f"{watch.noun}s ended", total=count, rate="")
        told = False
        while True:
            looked = time.monotonic()
            watch.look(settings.database)
            done = count - len(watch.pending)
            took = time.monotonic() - looked
            rate = f"{done / max(0.001, time.monotonic() - began):,.0f}/s"
            bar.update(task, completed=done, rate=rate)
            if not watch.pending:
                break
            if not told and not watch.is_running():
                told = True
                echo(
                    f"No system is running on this database. The {watch.noun}s wait in its log; "
                    f"start one with `{suggestion('start')}`. Still waiting (Ctrl-C stops waiting "
                    "only).",
                    err=True,
                )
            time.sleep(min(LONGEST, max(SHORTEST, took * 10)))
    _print(watch, time.monotonic() - began, as_json, tally)


def _ended(watch: Watch, count: int) -> str:
    """Return how many have ended, for a person who interrupts the wait."""
    done = f"{count - len(watch.pending):,} of {many(count, watch.noun)}"
    return f"{done} ended; the others go on without this command."


def _print(watch: Watch, seconds: float, as_json: bool, tally: Mapping[str, Any]) -> None:
    outcomes = watch.outcomes
    rows = sorted(outcomes.items(), key=lambda item: (item[0][0] != "COMPLETED", -item[1]))
    if as_json:
        found = [{"status": s, "reason": code, f"{watch.noun}s": n} for (s, code), n in rows]
        print_json({**tally, "seconds": round(seconds, 3), "outcomes": found})
        return
    table = plain_table("outcome", "reason", f"{watch.noun}s", numbers=(f"{watch.noun}s",))
    for (status, code), count in rows:
        table.add_row(styled(status), code, f"{count:,}")
    console().print(table)
    ended = many(sum(outcomes.values()), watch.noun)
    echo(f"{ended} ended, {seconds:.1f} s after the last was sent.")
