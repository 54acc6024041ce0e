"""`order-sagas inject`: append any record to any topic."""

import sys
from contextlib import suppress

import click
import msgspec

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.records.record import Headers
from order_sagas.bridges.storage.operator_actions import TOPIC
from order_sagas.system.app import App, app_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import LOG_SETTINGS, echo, open_log, say_if_idle
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.settings import Settings, settings_options


@click.command("inject")
@click.argument("topic", shell_complete=complete.topics)
@click.argument("value")
@click.option("--key", help="The record's key; by default the order id (or the warehouse).")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--raw", is_flag=True, help="Append VALUE unchecked, even if it cannot be decoded.")
@operator_options
@settings_options(*LOG_SETTINGS)
def inject_command(
    topic: str,
    value: str,
    key: str | None,
    headers: tuple[str, ...],
    raw: bool,
    by: str,
    why: str,
    settings: Settings,
) -> None:
    """Append the record VALUE (JSON, or - for standard input) to TOPIC.

    \N{BACKSPACE}
    For example, reply in place of a stock service that does not respond:
      order-sagas inject stock-events '{"orderId":"A1","status":"STOCK_RESERVED"}'

    VALUE must be a JSON object with orderId and status. With --raw it may be anything; it becomes a
    dead letter if it can't be decoded.
    """
    app = app_of(settings)
    if topic not in app.topics:
        raise click.UsageError(f"there is no topic {topic!r}; there are {', '.join(app.topics)}")
    if topic == DEAD_LETTERS:
        raise click.UsageError(
            f"only workers write to {topic}; `{suggestion('dead-letters', 'replay')}` puts a "
            "letter on its topic again"
        )
    content = sys.stdin.buffer.read() if value == "-" else value.encode("utf-8", "surrogateescape")
    fields, problem = _read(content)
    if problem and not raw:
        raise click.UsageError(f"{problem}; --raw appends it nevertheless")
    if problem:
        echo(f"Warning: {problem}; it will be a dead letter.", err=True)
    with open_log(settings, new=True) as log:
        key = key if key is not None else _key(app, topic, fields)
        record = log.outgoing(topic, key, content, _headers(headers))
        with log.transaction() as cursor:
            log.put(cursor, [record])
            note_effects(
                log.db, cursor, Origin(), kind=TOPIC, targets=[f"{topic}/{key}"], action="inject",
                step=str(fields.get("status", "")), by=by, why=why, now=SystemClock().now(),
            )  # fmt: skip
    echo(f"One record put on {topic}, partition {record.partition}.")
    say_if_idle(log)


def _read(content: bytes) -> tuple[dict[str, object], str]:
    """Return the fields of a value, and a description of the error, or ""."""
    try:
        fields = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return {}, f"the value is not JSON ({error})"
    if not isinstance(fields, dict):
        return {}, "the value is no JSON object"
    missing = [name for name in ("orderId", "status") if not isinstance(fields.get(name), str)]
    if missing:
        return fields, f"the value lacks {' and '.join(missing)}"
    return fields, ""


def _key(app: App, topic: str, fields: dict[str, object]) -> str:
    """Return the default key: that of the participant that takes the message, else the order id."""
    message = app.messages.get(str(fields.get("status")))
    for participant in app.participants.values():
        if message is None or participant.topic != topic:
            continue
        if any(route.receiver == participant.name for route in app.routes.of(topic, message)):
            with suppress(msgspec.ValidationError):
                return participant.keyed_by(msgspec.convert(fields, message))
    return str(fields.get("orderId") or "")


def _headers(given: tuple[str, ...]) -> Headers:
    pairs = [each.partition("=") for each in given]
    for (name, separator, _), each in zip(pairs, given, strict=True):
        if not name or not separator:
            raise click.UsageError(f"--header {each!r}: write it as NAME=VALUE")
    return tuple((name, value.encode()) for name, _, value in pairs)
