"""`order-sagas http`: serves the API in a process of its own, and creates tokens for it."""

import sys

import click

from order_sagas.bridges.extras import need
from order_sagas.bridges.storage.operator_actions import SYSTEM
from order_sagas.system.cli.action_note import note_outside
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.stop_requests import StopRequests

SETTINGS = (
    "database", "partitions", "kafka", "kafka_group", "file_group", "log_dir", "log_level",
    "http", "http_tokens", "http_rate", "http_max_body", "http_queue", "http_connections",
    "http_connections_of_address", "http_timeout", "http_trace_link", "http_log_link",
)  # fmt: skip


@click.group("http", cls=Group, invoke_without_command=True)
@settings_options(*SETTINGS)
@click.pass_context
def http_group(ctx: click.Context, settings: Settings) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM, on 127.0.0.1:8080 unless --http says else.

    It runs on the machine of the workers or on another, and needs the database, and Kafka if the
    workers use it. An order is confirmed when it is stored, whether or not a worker runs.
    `start --http` runs the same server beside the workers.

    Without --http-tokens it serves only this machine; `http token NAME` creates a token.
    """
    if ctx.invoked_subcommand is None:
        _serve(settings)


@http_group.command("token")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["submit", "read", "operate"]),
    default="read",
    show_default=True,
    help="Submit orders and see these; or read everything; or both, and act on sagas, dead letters "
    "and services.",
)
@operator_options
@settings_options("database")
def token_command(name: str, role: str, by: str, why: str, settings: Settings) -> None:
    """Create a token for NAME, and print it once, on standard error.

    Standard output gets the line for the file of --http-tokens. The file holds only a hash of the
    token. Removing the line revokes the token immediately. The log of operators' actions says who
    created a token of which name and role; the server logs names that come and go.
    """
    need("http")
    from order_sagas.bridges.http.server.tokens import hash_of, new_token

    if not name.isidentifier() and not name.replace("-", "_").isidentifier():
        raise click.UsageError("a name has letters, digits, - and _, as in shop-1")
    # Before the token: scripts take it from the last line of standard error.
    note_outside(
        settings.database, SYSTEM, name, action="create token", by=by, why=why,
        detail=f"role {role}",
    )  # fmt: skip
    token = new_token()
    click.echo("The token, which is not shown again:", err=True)
    click.echo(token, err=True)
    click.echo(f'{name} = {{ role = "{role}", sha256 = "{hash_of(token)}" }}')


def _serve(settings: Settings) -> None:
    need("http")
    from order_sagas.bridges.storage.file_watch import DatabaseFileWatch, explained
    from order_sagas.system.http import serve_http

    failures: list[str] = []
    with (
        StopRequests() as stops,
        DatabaseFileWatch(settings.database, lambda _: stops.put("replaced")) as watch,
    ):

        def failed(error: BaseException) -> None:
            failures.append(f"{type(error).__name__}: {error}")
            stops.put("failure")

        server = serve_http(settings, failed, console=sys.stderr)
        click.echo(f"order-sagas is serving at {server.address}")
        click.echo(f"  try   curl -i {server.address}/health/ready")
        click.echo(f"  page  {server.address}/")
        if not settings.http_tokens:
            click.echo("  open  to all users of this machine, without tokens")
        click.echo(f"  work  {suggestion('start')}  # handles the orders")
        stops.get()
        stopped = server.stop()
    if error := explained(watch):
        raise error
    if failures:
        raise click.ClickException(f"HTTP failed: {failures[0]}")
    if not stopped:
        raise click.ClickException("requests were still running, and were aborted")
    click.echo("Stopped. Orders answered with 201 are stored.")
