"""`order-sagas inject`: any record, on any topic."""

import sys

import click
import msgspec

from order_sagas.actors.messages import MAIN
from order_sagas.actors.participants import STOCK, TOPICS
from order_sagas.bridges.records.record import Headers
from order_sagas.system.cli.output import LOG_SETTINGS, open_log, say_if_idle
from order_sagas.system.settings import Settings, settings_options


@click.command("inject")
@click.argument("topic")
@click.argument("value")
@click.option("--key", help="The record's key; by default the order id (or the warehouse).")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option("--raw", is_flag=True, help="Put VALUE as it is, even if nobody can read it.")
@settings_options(*LOG_SETTINGS)
def inject_command(
    topic: str, value: str, key: str | None, headers: tuple[str, ...], raw: bool, settings: Settings
) -> None:
    """Put the record VALUE (JSON, or - for standard input) on TOPIC.

    \b
    For example, answer for a payment service that is silent:
      order-sagas inject payment-events '{"orderId": "A-1", "status": "PAYMENT_COMPLETED"}'

    VALUE has to be a JSON object with orderId and status; with --raw it may be anything, and goes
    to the dead letters if it can't be read.
    """
    if topic not in TOPICS:
        raise click.UsageError(f"there is no topic {topic!r}; there are {', '.join(TOPICS)}")
    content = sys.stdin.buffer.read() if value == "-" else value.encode("utf-8", "surrogateescape")
    fields, problem = _read(content)
    if problem and not raw:
        raise click.UsageError(f"{problem}; --raw puts it there nevertheless")
    if problem:
        click.echo(f"Warning: {problem}; it will be a dead letter.", err=True)
    with open_log(settings) as log:
        record = log.outgoing(
            topic, key if key is not None else _key(topic, fields), content, _headers(headers)
        )
        log.append(record)
    click.echo(f"One record put on {topic}, partition {record.partition}.")
    say_if_idle(log)


def _read(content: bytes) -> tuple[dict[str, object], str]:
    """The fields of a value, and what is wrong with them."""
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


def _key(topic: str, fields: dict[str, object]) -> str:
    """Commands to the warehouse are keyed by the warehouse, all else by the order."""
    commands = ("RESERVE_STOCK", "ROLLBACK_STOCK", "LOAD_STOCK")
    if topic == STOCK.topic and fields.get("status") in commands:
        return str(fields.get("warehouse") or MAIN)
    return str(fields.get("orderId") or "")


def _headers(given: tuple[str, ...]) -> Headers:
    pairs = [each.partition("=") for each in given]
    for (name, separator, _), each in zip(pairs, given, strict=True):
        if not name or not separator:
            raise click.UsageError(f"--header {each!r}: write it as NAME=VALUE")
    return tuple((name, value.encode()) for name, _, value in pairs)
