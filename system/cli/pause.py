"""`order-sagas pause` and `unpause`: pause a service or the intake of new orders."""

from collections.abc import Sequence
from typing import Any

import attrs
import click

from order_sagas.actors.words import many
from order_sagas.bridges.operations import (
    NoSuchTargetError,
    Paused,
    PauseOperations,
    ReasonNeededError,
)
from order_sagas.bridges.storage.deferred import INTAKE
from order_sagas.system.app import app_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.output import LOG_SETTINGS, echo, moment, open_log, say_if_idle
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings, settings_options


def _names(settings: Settings) -> dict[str, str]:
    """Return the names of what can be paused, by participant: services, and the intake."""
    participants = app_of(settings).participants.values()
    return {**{each.name: each.role for each in participants}, INTAKE: INTAKE}


def _pausing(function: Any) -> Any:
    for decorate in (
        settings_options(*LOG_SETTINGS),
        click.option("--by", default=current_user, help="The operator's name. Default: you."),
        click.option("--why", default="", help="The reason, for `status` and the log."),
        click.argument("name", metavar="SERVICE|intake", shell_complete=complete.services),
    ):
        function = decorate(function)
    return function


@click.command("pause")
@_pausing
def pause_command(name: str, why: str, by: str, settings: Settings) -> None:
    """Pause a service, or the intake of new orders, until `unpause`. Needs --why.

    Messages to a paused service are deferred, and no saga that waits for it times out. While the
    intake is paused, orders can be submitted and wait; running sagas continue. A pause applies to
    all workers, and survives restarts.
    """
    with open_log(settings) as log:
        try:
            _operations(log, settings).pause(_participant(name, settings), by, why)
        except ReasonNeededError as error:
            raise click.UsageError(f"{error}; give it with --why") from None
        except NoSuchTargetError as error:
            raise click.UsageError(str(error)) from None
    echo(f"Paused {name}. To end it: {suggestion('unpause', name)}")
    say_if_idle(log)


@click.command("unpause")
@_pausing
def unpause_command(name: str, why: str, by: str, settings: Settings) -> None:
    """End the pause of a service, or of the intake: deferred messages are handled first."""
    with open_log(settings) as log:
        try:
            _operations(log, settings).unpause(_participant(name, settings), by, why)
        except NoSuchTargetError as error:
            raise click.UsageError(str(error)) from None
    echo(f"{name.capitalize()} is unpaused.")
    say_if_idle(log)


def _operations(log: Any, settings: Settings) -> PauseOperations:
    return PauseOperations(log, _names(settings))


def _participant(name: str, settings: Settings) -> str:
    """Return the participant with this name on the command line, or with this role."""
    names = _names(settings)
    for participant, role in names.items():
        if name in (participant, role):
            return participant
    known = ", ".join(names.values())
    raise click.UsageError(f"{name!r} cannot be paused; these can be: {known}")


def named(found: Sequence[Paused], settings: Settings) -> list[dict[str, Any]]:
    """Return pauses for `status`, under the names of services on the command line."""
    names = _names(settings) if found else {}
    return [{**attrs.asdict(each), "name": names.get(each.name, each.name)} for each in found]


def in_words(pause: dict[str, Any]) -> str:
    """Describe a pause in one line."""
    return (
        f"{pause['name']} is paused since {moment(pause['since'])} UTC by {pause['by']} "
        f"({pause['why']}), {many(pause['kept'], 'message')} kept"
    )
