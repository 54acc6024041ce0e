"""`order-sagas demo`: run sample orders with live progress, and print their outcomes."""

import os
import re
import shutil
import socket
from pathlib import Path

import click
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.rule import Rule
from rich.table import Table

from order_sagas.actors.participants import NOTIFICATIONS
from order_sagas.actors.words import many
from order_sagas.bridges.extras import need
from order_sagas.bridges.storage.instance_lock import running_process
from order_sagas.system.cli.output import console, echo
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.demo import Demo, Figures, figures_of, run_demo
from order_sagas.system.demo.live_app import STUCK
from order_sagas.system.settings import Settings
from order_sagas.system.settings.advice import is_loopback
from order_sagas.system.settings.location_types import address
from order_sagas.system.trace import Timeline, read_lines, render_text

OURS = re.compile(r"orders\.db(-wal|-shm|\.lock|\.bell\.\d+)?|logs")
"""Names of files and directories that a demonstration creates, and the next one deletes."""

USUAL_ADDRESS = "127.0.0.1:8080"
"""Where `--http` serves if it names no address."""

REASONS = {
    "card_declined": "the card was declined",
    "amount_too_high": "above the provider's limit",
    "out_of_stock": "not in stock, or no longer",
    "timed_out": "the payment service never answered",
}


def _address(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    try:
        found = str(address().read(given)) or None
    except ValueError:
        raise click.BadParameter(f"{given!r} is no HOST:PORT") from None
    if found and not is_loopback(found.rpartition(":")[0]):
        raise click.BadParameter(
            f"{given!r} can be reached from other machines, and a demo has no tokens: name a port "
            "of 127.0.0.1"
        )
    return found


@click.command("demo")
@click.option(
    "--orders", "count", type=click.IntRange(min=1), default=1000, show_default=True,
    help="Number of orders.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True,
    help="Decides what is ordered, and what fails.",
)  # fmt: skip
@click.option(
    "--keep",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Directory of its database and logs; replaces an earlier demo there.",
)
@click.option(
    "--http",
    is_flag=False,
    flag_value=USUAL_ADDRESS,
    callback=_address,
    metavar="[HOST:PORT]",
    help=f"Stay up after that until Ctrl-C, with the page and the API at {USUAL_ADDRESS} or this "
    "address, slow live traffic, and three troubles to play with.",
)
def demo_command(count: int, seed: int, directory: Path, http: str | None) -> None:
    """Run a thousand orders and watch them.

    Some payments are declined, some goods are out of stock, and some commands to the payment
    service get no reply: once, so that a retry succeeds, or never, so that the order is
    compensated. The same seed gives the same outcome counts. Deadlines are divided by forty.
    """
    if http:
        need("http")
        _check_free(http)
    _make_room(directory)
    out = console(markup=True)
    out.print(
        f"[bold]{many(count, 'order')}[/], each a saga: "
        "create order → process payment → reserve stock → complete order → notify customer"
    )
    with _Live(out, count) as live:
        demo = run_demo(directory, count, seed, live.show)
    figures = figures_of(demo.settings.database)
    out.print(_summary(demo, figures))
    for order_id, what in (
        (figures.retried, "An order that was completed"),
        (figures.compensated, "An order that was undone"),
    ):
        if order_id:
            out.print()
            out.print(Rule(f"[bold]{what}[/]", align="left"))
            lines = read_lines(demo.settings.log_dir, order_id)
            render_text(Timeline.from_lines(order_id, lines), out)
    if http:
        _stay_up(out, directory, seed, http)
    else:
        _suggest(out, demo, figures)


def _check_free(address: str) -> None:
    """Raise ClickException if nothing can listen there, before a thousand orders are run."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except OSError as error:
        raise click.ClickException(
            f"can't listen on {address}: {os.strerror(error.errno or 0)}; "
            "name another address with --http HOST:PORT"
        ) from None


def _stay_up(out: Console, directory: Path, seed: int, http: str) -> None:
    """Run with HTTP and live traffic until a signal or `order-sagas stop`."""
    from order_sagas.system.demo import live  # here, because it loads the supervisor

    settings = live.live_settings(directory, seed, http)

    def problem(reason: str) -> None:
        echo(f"No more orders are submitted: {reason}", err=True)

    outcome = live.run_live(settings, lambda: _say_what_to_try(out, settings), problem)
    if outcome.failure or not outcome.clean:
        reason = outcome.failure or "a batch did not finish in time, and was dropped"
        raise click.ClickException(f"the demonstration ended: {reason}; see {settings.log_dir}")
    out.print("Stopped.")


def _say_what_to_try(out: Console, settings: Settings) -> None:
    def command(*words: str) -> str:
        return suggestion(*words, database=settings.database)

    step = "process payment"
    out.print()
    out.print(Rule("[bold]It stays up until Ctrl-C, with a new order each second[/]", align="left"))
    for what, commands in (
        (f"The page: http://{settings.http}/", ()),
        (
            "An order gets stuck within half a minute: its refund gets no answer. Then have it "
            "sent again",
            (command("show", STUCK), command("retry", STUCK, "--step", step)),
        ),
        (
            "A dead letter: a reply whose amount is no number. See why, and close it",
            (
                command("dead-letters", "list"),
                command("dead-letters", "discard", "--all", "--yes", "--why", "seen"),
            ),
        ),
        (
            f"A paused service: {NOTIFICATIONS.name}, whose messages are kept. End the pause",
            (command("status"), command("unpause", NOTIFICATIONS.name)),
        ),
    ):
        out.print(f"  {what}", soft_wrap=True)
        for each in commands:
            out.print(f"    {each}", soft_wrap=True, style="cyan")


class _Live:
    """Progress bars; nothing if the output is not a terminal."""

    def __init__(self, out: Console, count: int) -> None:
        self._progress = Progress(
            TextColumn("  {task.description:<14}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:>7,.0f}"),
            console=out,
            disable=not out.is_terminal,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(f"[{style}]{name}[/]", total=count)
            for name, style in (("completed", "green"), ("cancelled", "red"), ("in flight", "cyan"))
        }

    def __enter__(self) -> "_Live":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, counts: dict[str, int]) -> None:
        completed, cancelled = counts.get("COMPLETED", 0), counts.get("CANCELLED", 0)
        in_flight = sum(counts.values()) - completed - cancelled
        for name, number in (
            ("completed", completed), ("cancelled", cancelled), ("in flight", in_flight)
        ):  # fmt: skip
            self._progress.update(self._tasks[name], completed=number)


def _make_room(directory: Path) -> None:
    """Remove an earlier demo; refuse a directory that holds anything else."""
    database = f"sqlite:///{directory / 'orders.db'}"
    if process := running_process(database):
        raise click.ClickException(
            f"a system runs in {directory} (process {process}): "
            f"`{suggestion('stop', database=database)}` ends it, or name another directory with "
            "--keep"
        )
    if directory.exists():
        strange = sorted(each.name for each in directory.iterdir() if not OURS.fullmatch(each.name))
        if strange:
            raise click.UsageError(
                f"{directory} holds something that is not of a demo ({strange[0]}); "
                "name another directory with --keep"
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True)


def _summary(demo: Demo, figures: Figures) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    events = figures.events
    table.add_row(f"[bold green]{figures.completed:,}[/]", "completed", "")
    for code, number in figures.cancelled.most_common():
        table.add_row(f"[bold red]{number:,}[/]", f"cancelled, {code}", REASONS.get(code, ""))
    table.add_row("", "", "")
    table.add_row(
        f"{events['step_undone']:,}", "compensations run", "charges refunded, orders rolled back"
    )
    table.add_row(f"{events['step_timed_out']:,}", "timeouts", "a deadline passed, and it acted")
    table.add_row(f"{events['step_retried']:,}", "retries", "with backoff")
    table.add_row("", "", "")
    table.add_row(
        f"{demo.orders / demo.working:,.0f}/s",
        "orders",
        f"{demo.orders:,} in {demo.working:.2f} s; {demo.whole:.1f} s until the last silent "
        "service was given up",
    )
    table.add_row(f"{figures.p50 * 1000:,.1f} ms", "p50 of a saga", "from its start to its end")
    table.add_row(
        f"{figures.p99 * 1000:,.1f} ms", "p99 of a saga", "it waited for a silent service"
    )
    table.add_row(
        f"{demo.cpu / demo.orders * 1e6:,.0f} µs", "CPU per saga", "durable: every commit is synced"
    )
    return Padding(table, (1, 2, 0, 2))


def _suggest(out: Console, demo: Demo, figures: Figures) -> None:
    database = demo.settings.database
    undone = figures.compensated or figures.retried
    out.print(Rule("[bold]Try next[/]", align="left"))
    for command in (
        suggestion("show", undone, database=database),
        suggestion("orders", "--status", "cancelled", "--limit", "10", database=database),
        suggestion("trace", undone, "--format", "mermaid", database=database),
    ):
        out.print(f"  {command}", soft_wrap=True)
