"""`retry`, `skip`, `resume`, `cancel`: what an operator asks of a saga in flight."""

import getpass
import uuid
from typing import Any

import click
import msgspec

from actors.errors import UnknownSagaError
from actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from actors.participants import ORDERS
from actors.sagas.progress import Phase, Progress
from bridges.store import queries
from system.bootstrap import Parts
from system.cli.support import LOG_SETTINGS, open_log, program, say_if_idle
from system.settings import Settings, settings_options

STUCK = (Phase.STUCK, Phase.UNDO_STUCK)


def current_user() -> str:
    """The operating system user, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a process without a user, as in a container
        return "unknown"


def _operation(function: Any) -> Any:
    """What all four commands have in common."""
    for decorate in (
        settings_options(*LOG_SETTINGS),
        click.option(
            "--by",
            default=current_user,
            help="Who asks, for the history; by default you.",
        ),
        click.option("--saga", default="place-order", show_default=True, help="Which saga of it."),
        click.argument("order_id"),
    ):
        function = decorate(function)
    return function


_step = click.option("--step", required=True, help="The stuck step, as `show` names it.")


@click.command("retry")
@_operation
@_step
def retry_command(order_id: str, saga: str, step: str, by: str, settings: Settings) -> None:
    """Send the stuck command or compensation of ORDER_ID again, with a fresh set of attempts."""
    _ask(RetryStep(order_id=order_id, saga=saga, step=step, by=by), settings, stuck=step)


@click.command("skip")
@_operation
@_step
@click.option("--why", required=True, help="The reason, for the history.")
def skip_command(
    order_id: str, saga: str, step: str, why: str, by: str, settings: Settings
) -> None:
    """Take the stuck step of ORDER_ID as done, because someone has seen to it elsewhere."""
    if not why.strip():
        raise click.UsageError("--why needs a reason")
    _ask(SkipStep(order_id=order_id, saga=saga, step=step, by=by, why=why), settings, stuck=step)


@click.command("resume")
@_operation
def resume_command(order_id: str, saga: str, by: str, settings: Settings) -> None:
    """Retry every stuck step of ORDER_ID."""
    _ask(ResumeSaga(order_id=order_id, saga=saga, by=by), settings, stuck="")


@click.command("cancel")
@_operation
@click.option("--why", required=True, help="The reason, for the history and the customer.")
def cancel_command(order_id: str, saga: str, why: str, by: str, settings: Settings) -> None:
    """Undo ORDER_ID, if it has not passed the point from which it can't be undone."""
    if not why.strip():
        raise click.UsageError("--why needs a reason")
    _ask(CancelSaga(order_id=order_id, saga=saga, by=by, why=why), settings, stuck=None)


def _ask(command: OperatorCommand, settings: Settings, *, stuck: str | None) -> None:
    """Put the command on the order's topic, if the saga is in a state for it.

    `stuck` is the step that has to be stuck; any of them if empty; None if none has to be.
    """
    progress = _in_flight(command, settings)
    names = _steps(progress, settings)
    if stuck is not None:
        found = [name for name, phase in names.items() if phase in STUCK]
        if stuck and stuck not in names:
            raise click.UsageError(f"there is no step {stuck!r}; there are {_list([*names])}")
        if (stuck and stuck not in found) or not found:
            what = f"step {stuck!r} is not stuck" if stuck else "no step is stuck"
            said = f"stuck: {_list(found)}" if found else "nothing of this saga is"
            raise click.ClickException(f"order {command.order_id}: {what}; {said}")
    named = msgspec.structs.replace(command, event_id=f"operator/{uuid.uuid4()}")
    with open_log(settings) as log:
        value = msgspec.json.encode(named)
        log.append(log.outgoing(ORDERS.topic, command.order_id, value))
    click.echo(f"Asked. What comes of it: {program()} trace {command.order_id}")
    say_if_idle(log)


def _in_flight(command: OperatorCommand, settings: Settings) -> Progress:
    with queries.reading(settings.database) as db:
        whole = queries.order(db, command.order_id)
    found = {row["saga"]: (row, progress) for row, progress in (whole or {"sagas": ()})["sagas"]}
    if command.saga not in found:
        known = f"; it has {_list([*found])}" if found else ""
        raise click.ClickException(f"order {command.order_id} has no saga {command.saga!r}{known}")
    row = found[command.saga][0]
    progress: Progress = found[command.saga][1]
    if progress.ended:
        raise click.ClickException(
            f"the saga of order {command.order_id} has ended: {row['status'].lower()}"
        )
    return progress


def _steps(progress: Progress, settings: Settings) -> dict[str, int]:
    try:
        rows = Parts(settings=settings).registry.get(progress.saga, progress.version).rows
    except UnknownSagaError as error:
        raise click.ClickException(str(error)) from None
    return {step.name: state.phase for step, state in zip(rows, progress.steps, strict=True)}


def _list(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
