"""`order-sagas simulate`: run whole systems under random faults, reproducible by seed."""

import time
from collections import Counter

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from order_sagas.actors.words import many
from order_sagas.system.app import app_of
from order_sagas.system.cli.output import console, echo, report_if_interrupted
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.harness.campaign import campaign, run_seed
from order_sagas.system.harness.faults import Fault, from_json, to_json
from order_sagas.system.harness.plans import LEVELS
from order_sagas.system.harness.shrink import shrink
from order_sagas.system.harness.simulation import Outcome, simulate
from order_sagas.system.settings import Settings, settings_options


def _plan(ctx: click.Context, parameter: click.Parameter, text: str | None) -> list[Fault] | None:
    if text is None:
        return None
    try:
        return from_json(text)
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"not a list of faults as JSON: {error}") from None


@click.command("simulate")
@click.option(
    "--seeds", type=click.IntRange(1), default=1000, show_default=True, help="Number of runs."
)
@click.option("--first", type=click.IntRange(0), default=0, help="The first seed. Default: 0.")
@click.option("--seed", type=click.IntRange(0), help="Replay only this seed.")
@click.option("--orders", type=click.IntRange(1), default=50, show_default=True,
              help="Orders per run.")  # fmt: skip
@click.option("--faults", "level", type=click.Choice(list(LEVELS)), default="heavy",
              show_default=True, help="Number and kinds of faults.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0),
              help="Workers that share a simulated Kafka; 0 for the embedded log. By default the "
                   "seed decides: the embedded log, or one to three workers.")  # fmt: skip
@click.option("--plan", callback=_plan, metavar="JSON",
              help="With --seed: inject these faults instead of the seed's.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Number of processes. Default: one per core.")
@click.option("--trace/--no-trace", "tell", default=True,
              help="Print the trace of the order that violates an invariant.")  # fmt: skip
@settings_options("app")
def simulate_command(
    seeds: int,
    first: int,
    seed: int | None,
    orders: int,
    level: str,
    workers: int | None,
    plan: list[Fault] | None,
    jobs: int | None,
    tell: bool,
    settings: Settings,
) -> int:
    """Run whole systems in virtual time while records, services, workers and databases fail.

    The invariants of `order-sagas audit` are checked after every commit and at the end. At the
    first violation, the faults are reduced to a minimal set that still causes it, and the command
    that replays them is printed. Everything runs in memory; your data is not touched.

    Exit code 1 if an invariant was violated.
    """
    app = settings.app
    app_of(settings)  # reports its errors before processes are started
    if plan is not None and seed is None:
        raise click.UsageError("--plan replays one seed: name it with --seed")
    if seed is not None:
        if plan is None:
            outcome = run_seed(seed, orders, level, workers, app)
        else:
            outcome = simulate(seed, orders, plan, workers, app)
        _show(outcome, tell=tell)
        return 1 if outcome.violations else 0
    return _run_all(range(first, first + seeds), orders, level, jobs, workers, tell, app)


NONE_BROKEN = "No rule was broken."
PROGRESS_LINES = 10
"""Number of progress lines printed per campaign if the output is not a terminal."""


def _run_all(
    seeds: range,
    orders: int,
    level: str,
    jobs: int | None,
    workers: int | None,
    tell: bool,
    app: str,
) -> int:
    started, total, done = time.monotonic(), Counter[str](), 0
    failed: Outcome | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip

    def told() -> str:
        return (
            f"{many(done, 'seed')} of {many(orders, 'order')}, faults {level}: "
            f"{many(total['faults'], 'fault')}, {many(total['commits'], 'commit')}, "
            f"{many(total['restarts'], 'restart')}; {many(total['COMPLETED'], 'saga')} completed "
            f"and {total['CANCELLED']:,} cancelled in {time.monotonic() - started:.1f} s."
        )

    with (
        report_if_interrupted(lambda: _so_far(told(), failed) if done else "No seed was finished."),
        Progress(*columns, console=console(), transient=True) as progress,
    ):
        task = progress.add_task("seeds", total=len(seeds))
        for outcome in campaign(seeds, orders, level, jobs, workers, app):
            done += 1
            total += outcome.statuses
            total["commits"] += outcome.commits
            total["restarts"] += outcome.lives - 1
            total["faults"] += len(outcome.plan)
            progress.update(task, advance=1, description=f"seeds, {many(total['faults'], 'fault')}")
            if not progress.console.is_terminal and done % (len(seeds) // PROGRESS_LINES or 1) == 0:
                echo(f"{done:,} of {many(len(seeds), 'seed')}", err=True)
            if outcome.violations:
                failed = outcome
                break
        if failed:
            shrinking = progress.add_task("leaving faults out", total=None)
            failed = shrink(
                failed,
                lambda left: progress.update(shrinking, description=f"{many(left, 'fault')} left"),
            )
    echo(told())
    if failed:
        _show(failed, tell=tell)
        return 1
    echo(NONE_BROKEN)
    return 0


def _so_far(told: str, failed: Outcome | None) -> str:
    broken = f"Seed {failed.seed} broke a rule; its faults are not reduced." if failed else ""
    return f"{told} {broken or NONE_BROKEN}"


def _show(outcome: Outcome, *, tell: bool) -> None:
    if not outcome.violations:
        ended = ", ".join(f"{n} {status}" for status, n in sorted(outcome.statuses.items()))
        echo(
            f"Seed {outcome.seed}: {ended}; {many(len(outcome.plan), 'fault')}, "
            f"{many(outcome.commits, 'commit')}, {many(outcome.lives - 1, 'restart')}. "
            f"{NONE_BROKEN} Log {outcome.digest[:16]}."
        )
        return
    if tell:
        echo(outcome.story)
    echo(f"\nSeed {outcome.seed} broke {many(len(outcome.violations), 'rule')}:")
    for violation in outcome.violations[:10]:
        echo(f"  {violation}")
    echo(f"\nFaults: {len(outcome.plan)}, orders: {outcome.orders}. Replay it with:")
    words = ("simulate", "--seed", str(outcome.seed),
             "--orders", str(outcome.orders), "--workers", str(outcome.workers),
             "--plan", to_json(outcome.plan))  # fmt: skip
    echo(f"  {suggestion(*words)}")
