"""Completion of ids and names on the command line, from the database and the app.

Each function is the `shell_complete` of an argument or an option. It offers at most `LIMIT` values.
It never fails: without a database, a server or an app there is nothing to offer. What takes long to
load is imported in the functions, since the modules of commands import this one.
"""

import functools
import io
import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from itertools import islice
from typing import Any

import click

from order_sagas.system.settings.load import load_settings
from order_sagas.system.settings.model import Settings

LIMIT = 50
"""Maximum number of values that are offered."""
PATIENCE = 2
"""Time limit in seconds for a database server."""

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
Find = Callable[[Settings, click.Context, str], Iterable[str]]


def _completion(find: Find) -> Complete:
    @functools.wraps(find)
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        # An app may print when it is imported, and the shell takes what is printed for an answer.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            try:
                found = [*find(_settings(ctx), ctx, incomplete)]
            except (Exception, SystemExit):
                return []
        # Ids come from others too: one with an escape sequence would be printed by the shell.
        fitting = (each for each in found if each.startswith(incomplete) and each.isprintable())
        return [*islice(fitting, LIMIT)]

    return complete


def _settings(ctx: click.Context) -> Settings:
    """Return the settings of the line so far."""
    names = ("app", "database", "services")
    flags = {name: value for name in names if (value := ctx.params.get(name)) is not None}
    settings, _ = load_settings(flags, os.environ, ctx.params.get("config_path"))
    return settings


@_completion
def order_ids(settings: Settings, _: click.Context, incomplete: str) -> Iterable[str]:
    """Ids of orders."""
    from order_sagas.bridges.storage import id_prefixes

    with _reading(settings) as db:
        return id_prefixes.order_ids(db, incomplete, LIMIT)


@_completion
def stuck_orders(settings: Settings, _: click.Context, incomplete: str) -> Iterable[str]:
    """Ids of orders that have a saga that needs attention."""
    return _orders(settings, incomplete, "NEEDS_ATTENTION")


@_completion
def orders_in_flight(settings: Settings, _: click.Context, incomplete: str) -> Iterable[str]:
    """Ids of orders that have a saga in flight."""
    return _orders(settings, incomplete, *_in_flight())


@_completion
def saga_ids(settings: Settings, _: click.Context, incomplete: str) -> Iterable[str]:
    """Ids of sagas in flight."""
    from order_sagas.bridges.storage import id_prefixes

    prefix = incomplete.partition("/")[2]
    with _reading(settings) as db:
        found = id_prefixes.saga_ids(db, prefix, _in_flight(), 10 * LIMIT)
    return [f"{saga}/{order_id}" for saga, order_id in found]


@_completion
def services(settings: Settings, _: click.Context, __: str) -> Iterable[str]:
    """Names of the services of the app, and of the intake: what can be paused."""
    return sorted([*_app(settings).participants, "intake"])


@_completion
def sagas(settings: Settings, _: click.Context, __: str) -> Iterable[str]:
    """Names of the app's sagas."""
    return sorted(_app(settings).registry.newest)


@_completion
def steps(settings: Settings, ctx: click.Context, _: str) -> Iterable[str]:
    """Names of the steps of the app's sagas, or of one of them if the line names it."""
    only = ctx.params.get("saga")
    registry = _app(settings).registry
    rows = [row for saga in registry if only in (None, "", saga.name) for row in saga.rows]
    return dict.fromkeys(row.name for row in rows)


@_completion
def topics(settings: Settings, _: click.Context, __: str) -> Iterable[str]:
    """Names of the topics."""
    return list(_app(settings).topics)


@_completion
def messages(settings: Settings, _: click.Context, __: str) -> Iterable[str]:
    """Statuses of the app's messages."""
    return list(_app(settings).messages)


@_completion
def signals(settings: Settings, ctx: click.Context, _: str) -> Iterable[str]:
    """Statuses of the messages that sagas wait for, or one saga if the line names it."""
    from order_sagas.actors.messages import status

    only = str(ctx.params.get("saga_id") or "").partition("/")[0]
    registry = _app(settings).registry
    rows = [row for saga in registry if only in ("", saga.name) for row in saga.rows]
    taken = [each for row in rows if row.kind == "wait" for each in (row.done, row.failed) if each]
    return dict.fromkeys(status(each) for each in taken)


@_completion
def statuses(_: Settings, __: click.Context, ___: str) -> Iterable[str]:
    """Statuses of sagas in flight."""
    return [name.lower() for name in _in_flight()]


def _orders(settings: Settings, prefix: str, *wanted: str) -> Iterable[str]:
    from order_sagas.bridges.storage import id_prefixes

    with _reading(settings) as db:
        found = id_prefixes.saga_ids(db, prefix, wanted, LIMIT)
    return dict.fromkeys(order_id for _, order_id in found)


def _in_flight() -> tuple[str, ...]:
    from order_sagas.bridges.storage.queries import IN_FLIGHT

    return IN_FLIGHT


def _app(settings: Settings) -> Any:
    from order_sagas.system.app import app_of

    return app_of(settings)


def _reading(settings: Settings) -> Any:
    """The database, for reading, with a short time limit for a server."""
    import sqlalchemy as sa

    from order_sagas.bridges.storage.reading import reading

    url = sa.make_url(settings.database)
    if url.get_backend_name() != "sqlite":
        url = url.update_query_dict({"connect_timeout": str(PATIENCE)})
    return reading(url.render_as_string(hide_password=False))
