"""Adds settings to commands as flags."""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.load import load_settings
from order_sagas.system.settings.model import Declared, declared
from order_sagas.system.visible_text import visible

Function = Callable[..., Any]
_GIVEN = f"{__name__}.given"
"""Key in click's context under which the given flags are stored."""

PRIVATE, SHARED = 0o077, 0o007
"""The umask of every process, without and with the setting `file_group`."""


def settings_options(*names: str, provenance: bool = False) -> Callable[[Function], Function]:
    """Add `--config` and a flag for each named setting to a command; without names, for all.

    The function gets the keyword argument `settings` and, on request, `provenance`. An invalid
    setting ends the command with its message and exit code 2. Secrets never get a flag.

    The umask is set so that files are private to the user, or shared with `file_group` if set.
    """

    def decorate(function: Function) -> Function:
        known = {setting.name: setting for setting in declared()}
        chosen = [known[name] for name in names or known if names or not known[name].kind.secret]
        flags = [setting.name for setting in chosen]

        @functools.wraps(function)
        def command(*args: Any, config_path: Path | None, **given: Any) -> Any:
            chosen_flags = {name: given.pop(name) for name in flags}
            try:
                settings, sources = load_settings(chosen_flags, os.environ, config_path)
                if settings.file_group and not provenance:
                    from order_sagas.system.private_files import (
                        share_directories,  # SQLAlchemy loads slowly
                    )

                    share_directories(settings, sources["file_group"])
            except SettingError as error:
                raise click.UsageError(str(error)) from None
            click.get_current_context().meta[_GIVEN] = {
                **({"config": config_path} if config_path else {}),
                **{name: value for name, value in chosen_flags.items() if value is not None},
            }
            os.umask(SHARED if settings.file_group else PRIVATE)
            for warning in sources.warnings:
                click.echo(f"Warning: {visible(warning)}", err=True)
            if provenance:
                given["provenance"] = sources
            return function(*args, settings=settings, **given)

        result: Function = command
        for setting in reversed(chosen):
            result = _option(setting)(result)
        return _CONFIG(result)

    return decorate


def given_flags() -> Mapping[str, Any]:
    """Return the settings given as flags to the running command, as they were written, by name.

    `config` is the file of --config. Empty outside a command.
    """
    context = click.get_current_context(silent=True)
    found: Mapping[str, Any] = context.meta.get(_GIVEN, {}) if context else {}
    return found


_CONFIG = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="TOML file with settings.  [default: ./order-sagas.toml, if there]",
)


def _option(setting: Declared) -> Callable[[Function], Function]:
    if setting.kind.secret:
        raise ValueError(f"{setting.name} is a secret, and a command line is visible to everyone")
    if setting.kind.accepts == "true or false":
        flag = f"{setting.flag}/--no-{setting.flag[2:]}"
        return click.option(flag, setting.name, default=None, help=_help(setting))
    return click.option(setting.flag, setting.name, metavar="VALUE", help=_help(setting))


def _help(setting: Declared) -> str:
    default = f"  [default: {setting.default}]" if setting.default else ""
    return f"{setting.help} Takes {setting.kind.accepts}.{default}"
