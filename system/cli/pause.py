"""`order-sagas pause` and `unpause`: pause a service or the intake of new orders."""

from typing import Any

import click

from order_sagas.actors.words import many
from order_sagas.bridges.operations import PauseOperations, ReasonNeededError
from order_sagas.bridges.storage.deferred import INTAKE
from order_sagas.system.app import app_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.output import LOG_SETTINGS, echo, moment, open_log, say_if_idle
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings, settings_options


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
    name = _known(name, settings)
    with open_log(settings) as log:
        try:
            PauseOperations(log, [name]).pause(name, by, why)
        except ReasonNeededError as error:
            raise click.UsageError(f"{error}; give it with --why") from None
    echo(f"Paused {name}. To end it: {suggestion('unpause', name)}")
    say_if_idle(log)


@click.command("unpause")
@_pausing
def unpause_command(name: str, why: str, by: str, settings: Settings) -> None:
    """End the pause of a service, or of the intake: deferred messages are handled first."""
    name = _known(name, settings)
    with open_log(settings) as log:
        PauseOperations(log, [name]).unpause(name, by, why)
    echo(f"Unpaused {name}.")
    say_if_idle(log)


def _known(name: str, settings: Settings) -> str:
    """Return the service with this name, or the only one with this role; or the intake."""
    services = app_of(settings).participants.values()
    names = [*(each.name for each in services), INTAKE]
    if name in names:
        return name
    of_role = [each.name for each in services if each.role == name]
    if len(of_role) == 1:
        return of_role[0]
    raise click.UsageError(f"{name!r} cannot be paused; these can be: {', '.join(names)}")


def in_words(pause: dict[str, Any]) -> str:
    """Describe a pause in one line."""
    return (
        f"{pause['name']} is paused since {moment(pause['since'])} UTC by {pause['by']} "
        f"({pause['why']}), {many(pause['kept'], 'message')} kept"
    )
