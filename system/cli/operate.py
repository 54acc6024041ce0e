"""`retry`, `skip`, `resume`, `cancel`: what an operator asks of a saga in flight."""

import getpass
from typing import Any

import click

from actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from bridges.operations import NoSuchStepError, ReasonNeededError, SagaOperations
from system.bootstrap import Parts
from system.cli.support import LOG_SETTINGS, open_log, program, say_if_idle
from system.settings import Settings, settings_options


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


_why_not = click.option("--why", default="", help="The reason, for the history.")
_step = click.option("--step", required=True, help="The stuck step, as `show` names it.")


@click.command("retry")
@_operation
@_step
@_why_not
def retry_command(
    order_id: str, saga: str, step: str, why: str, by: str, settings: Settings
) -> None:
    """Send the stuck command or compensation of ORDER_ID again, with a fresh set of attempts."""
    _ask(RetryStep(order_id=order_id, saga=saga, step=step, by=by, why=why), settings)


@click.command("skip")
@_operation
@_step
@click.option("--why", required=True, help="The reason, for the history.")
def skip_command(
    order_id: str, saga: str, step: str, why: str, by: str, settings: Settings
) -> None:
    """Take the stuck step of ORDER_ID as done, because someone has seen to it elsewhere."""
    _ask(SkipStep(order_id=order_id, saga=saga, step=step, by=by, why=why), settings)


@click.command("resume")
@_operation
@_why_not
def resume_command(order_id: str, saga: str, why: str, by: str, settings: Settings) -> None:
    """Retry every stuck step of ORDER_ID."""
    _ask(ResumeSaga(order_id=order_id, saga=saga, by=by, why=why), settings)


@click.command("cancel")
@_operation
@click.option("--why", required=True, help="The reason, for the history and the customer.")
def cancel_command(order_id: str, saga: str, why: str, by: str, settings: Settings) -> None:
    """Undo ORDER_ID, if it has not passed the point from which it can't be undone."""
    _ask(CancelSaga(order_id=order_id, saga=saga, by=by, why=why), settings)


def _ask(command: OperatorCommand, settings: Settings) -> None:
    """Put the command on the order's topic, if the saga is in a state for it."""
    operations = SagaOperations(settings.database, Parts(settings=settings).registry)
    try:
        operations.check(command)
    except (NoSuchStepError, ReasonNeededError) as error:
        raise click.UsageError(str(error)) from None
    with open_log(settings) as log:
        operations.send([command], log)
    click.echo(f"Asked. What comes of it: {program()} trace {command.order_id}")
    say_if_idle(log)
