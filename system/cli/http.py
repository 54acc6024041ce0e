"""`order-sagas http`: the API in a process of its own, and the tokens of those it lets in."""

import signal
import sys
from queue import SimpleQueue

import click

from bridges.extras import need
from system.cli.suggest import suggestion
from system.settings import Settings, settings_options

SETTINGS = (
    "database", "partitions", "kafka", "kafka_group", "file_group", "log_dir", "log_level",
    "http", "http_tokens", "http_rate", "http_max_body", "http_queue", "http_connections",
    "http_timeout",
)  # fmt: skip


@click.group("http", invoke_without_command=True)
@settings_options(*SETTINGS)
@click.pass_context
def http_group(ctx: click.Context, settings: Settings) -> None:
    """Serve orders over HTTP until Ctrl-C or SIGTERM, on 127.0.0.1:8080 unless --http says else.

    Beside the workers or far from them: it needs the database, and Kafka if they use it. An order
    is answered when it is stored, whether or not a worker runs. `start --http` runs the same
    beside the workers.

    Without --http-tokens it serves this machine alone; `http token NAME` makes a token.
    """
    if ctx.invoked_subcommand is None:
        _serve(settings)


@http_group.command("token")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["read", "operate"]),
    default="read",
    show_default=True,
    help="Read only; or bring orders and put things right too.",
)
def token_command(name: str, role: str) -> None:
    """Make a token for NAME: shown once, on standard error; on standard output, the line for the
    file of --http-tokens.

    The file holds a hash, from which nobody gets the token back. Taking the line out of it takes
    the token back at once.
    """
    need("http")
    from bridges.http.tokens import hash_of, new_token

    if not name.isidentifier() and not name.replace("-", "_").isidentifier():
        raise click.UsageError("a name has letters, digits, - and _, as in shop-1")
    token = new_token()
    click.echo("The token, which is not shown again:", err=True)
    click.echo(token, err=True)
    click.echo(f'{name} = {{ role = "{role}", sha256 = "{hash_of(token)}" }}')


def _serve(settings: Settings) -> None:
    need("http")
    from system.http import serve_http

    happened: SimpleQueue[str] = SimpleQueue()
    server = serve_http(
        settings,
        lambda error: happened.put(f"{type(error).__name__}: {error}"),
        console=sys.stderr,
    )
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: happened.put(""))
    click.echo(f"order-sagas is serving at {server.address}")
    click.echo(f"  try   curl -i {server.address}/health/ready")
    click.echo(f"  page  {server.address}/")
    if not settings.http_tokens:
        click.echo("  open  to everybody on this machine, without tokens")
    click.echo(f"  work  {suggestion('start')}  # handles the orders")
    failure = happened.get()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    stopped = server.stop()
    if failure:
        raise click.ClickException(f"HTTP could not go on: {failure}")
    if not stopped:
        raise click.ClickException("requests were still under way, and were broken off")
    click.echo("Stopped. What was answered with 201 is stored.")
