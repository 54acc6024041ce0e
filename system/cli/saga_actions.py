"""`retry`, `skip`, `resume`, `cancel`: send operators' commands to one saga or many."""

import functools
from collections import Counter
from typing import Any

import attrs
import click

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from order_sagas.actors.words import many
from order_sagas.bridges.operations import (
    Choice,
    NoSuchStepError,
    Origin,
    ReasonNeededError,
    SagaFilter,
    SagaOperations,
    usual_statuses,
)
from order_sagas.bridges.operations.sagas import AT_ONCE
from order_sagas.bridges.storage.queries import IN_FLIGHT
from order_sagas.system.cli import complete
from order_sagas.system.cli.confirm import bulk_options, confirm, older_than_option
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.output import (
    LOG_SETTINGS,
    console,
    echo,
    moment,
    open_log,
    plain_table,
    report_if_interrupted,
    say_if_idle,
    styled,
)
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options

SHOWN = 20
"""Maximum number of sagas listed before a bulk command is confirmed."""


@attrs.frozen
class Question:
    """Arguments and options common to the four commands."""

    order_id: str | None
    saga: str
    by: str
    why: str
    step: str
    everything: bool
    statuses: tuple[str, ...]
    code: str
    cause: str
    older_than: float
    limit: int | None
    dry_run: bool
    yes: bool
    settings: Settings

    @property
    def narrowed(self) -> bool:
        """True if an option was given that is valid only with `--all`."""
        return bool(self.statuses or self.code or self.cause or self.older_than or self.limit)


def _orders(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the order ids that the command can be meant for."""
    of_command = {"cancel": complete.orders_in_flight}.get(ctx.info_name or "")
    return (of_command or complete.stuck_orders)(ctx, parameter, incomplete)


def _question(function: Any) -> Any:
    """Add the arguments and options of `Question` to a command, and pass them as one object."""

    @functools.wraps(function)
    def asked(**given: Any) -> None:
        function(Question(**given))

    command: Any = asked
    for decorate in (
        settings_options(*LOG_SETTINGS),
        bulk_options,
        click.option("--limit", type=click.IntRange(min=1), help="Only the oldest N sagas."),
        older_than_option("Only sagas older than this."),
        click.option("--code", default="", help="Only sagas compensating with this failure code."),
        click.option("--cause", default="", help="Only sagas stuck for this cause (see `status`)."),
        click.option(
            "--status", "statuses", multiple=True, callback=_statuses,
            shell_complete=complete.statuses,
            metavar="|".join(each.lower() for each in IN_FLIGHT),
            help="Only sagas with this status; may be given more than once.",
        ),
        click.option("--all", "everything", is_flag=True, help="All sagas that match."),
        click.option(
            "--step", default="", shell_complete=complete.steps,
            help="Name of a step, as in `show`.",
        ),
        click.option("--why", default="", help="The reason, for the history."),
        click.option(
            "--by", default=current_user, help="The operator's name, for the history. Default: you."
        ),
        click.option(
            "--saga", default="", shell_complete=complete.sagas,
            help="Name of the saga definition. Default: the only saga of the order in flight; with "
            "--all, any.",
        ),
        click.argument("order_id", required=False, shell_complete=_orders),
    ):  # fmt: skip
        command = decorate(command)
    return command


def _statuses(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(each.upper().replace("-", "_") for each in given)
    for name, typed in zip(found, given, strict=True):
        if name not in IN_FLIGHT:
            known = ", ".join(each.lower() for each in IN_FLIGHT)
            raise click.BadParameter(f"{typed!r} is not one of {known}")
    return found


@click.command("retry")
@_question
def retry_command(question: Question) -> None:
    """Send the stuck command or compensation of ORDER_ID again, with a fresh set of attempts.

    For many orders use --all with filters, first with --dry-run. Needs --step.
    """
    _needs_step(question)
    _ask(RetryStep, question)


@click.command("skip")
@_question
def skip_command(question: Question) -> None:
    """Treat the stuck step of ORDER_ID as done, because it was settled by other means.

    For many orders use --all with filters, first with --dry-run. Needs --step and --why.
    """
    _needs_step(question)
    _ask(SkipStep, question)


@click.command("resume")
@_question
def resume_command(question: Question) -> None:
    """Retry every stuck step of ORDER_ID.

    For many orders use --all with filters, first with --dry-run.
    """
    _ask(ResumeSaga, question)


@click.command("cancel")
@_question
def cancel_command(question: Question) -> None:
    """Cancel ORDER_ID and compensate its steps, unless it has passed its pivot.

    For many orders use --all with filters, first with --dry-run. Needs --why, which is included in
    the notification of the customer.
    """
    _ask(CancelSaga, question)


def _needs_step(question: Question) -> None:
    if not question.step:
        raise click.UsageError("--step needs the name of the stuck step, as `show` tells it")


def _ask(kind: type[OperatorCommand], question: Question) -> None:
    """Send the command to the given order, or to all that match and are in a state for it."""
    if bool(question.order_id) == question.everything:
        raise click.UsageError("name an ORDER_ID, or say --all and what narrows it down")
    if question.order_id and question.narrowed:
        raise click.UsageError("--status, --code, --cause, --older-than and --limit go with --all")
    names_step = kind in (RetryStep, SkipStep)
    if question.order_id and question.step and not names_step:
        raise click.UsageError("--step goes with --all here")
    settings = question.settings
    template = kind(
        order_id=question.order_id or "",
        saga=question.saga,
        step=question.step if names_step else "",
        by=question.by,
        why=question.why,
    )
    operations = SagaOperations(
        settings.database, registry_of(settings), dict(settings.approval_above)
    )
    try:
        if question.order_id:
            chosen = [operations.check(template)]
        else:
            chosen = _choose(operations, template, question)
    except ReasonNeededError as error:
        raise click.UsageError(f"{error}; give it with --why") from None
    except NoSuchStepError as error:
        raise click.UsageError(str(error)) from None
    if not chosen or question.dry_run:
        return
    if question.everything:
        confirm(f"{_verb()} {many(len(chosen), 'saga')}?", yes=question.yes)
    origin, sent, pending = Origin(), 0, 0
    with (
        report_if_interrupted(lambda: f"Sent to {sent:,} of {many(len(chosen), 'saga')}."),
        open_log(settings) as log,
    ):
        while some := chosen[sent : sent + AT_ONCE]:
            pending += operations.send(some, log, origin).pending
            sent += len(some)
    look = ("trace", question.order_id) if question.order_id else ("sagas",)
    count = f" to {many(len(chosen), 'saga')}" if question.everything else ""
    if pending < len(chosen):
        echo(f"Sent{count}. Result: {suggestion(*look)}")
    if pending:
        echo(
            f"{many(pending, 'action')} not sent: a second person has to approve, with "
            f"{suggestion('actions', 'approve')}"
        )
    say_if_idle(log)


def _choose(
    operations: SagaOperations, template: OperatorCommand, question: Question
) -> list[OperatorCommand]:
    which = SagaFilter(
        question.saga,
        question.statuses or usual_statuses(type(template)),
        question.step,
        question.code,
        question.older_than,
        question.limit,
        cause=question.cause,
    )
    choice = operations.choose(template, which, SystemClock().now())
    _print(choice)
    return [each.command for each in choice.chosen]


def _print(choice: Choice) -> None:
    chosen = choice.chosen
    if chosen:
        table = plain_table("order", "status", "waits for", "began (UTC)")
        for each in chosen[:SHOWN]:
            table.add_row(
                each.command.order_id, styled(each.status), ", ".join(each.steps),
                moment(each.started_at),
            )  # fmt: skip
        console().print(table)
        if len(chosen) > SHOWN:
            echo(f"and {len(chosen) - SHOWN:,} more")
        echo(f"{many(len(chosen), 'saga')} to {_verb().lower()}.")
    else:
        echo(f"There is no such saga to {_verb().lower()}.")
    for reason, count in Counter(choice.refused.values()).most_common():
        echo(f"{many(count, 'saga')} left alone: {reason}")


def _verb() -> str:
    return (click.get_current_context().info_name or "").capitalize()
