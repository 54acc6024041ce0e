"""`order-sagas topics`: create the Kafka topics, and check them against the stored offsets."""

from collections.abc import Sequence
from importlib.metadata import version

import click

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.words import many
from order_sagas.bridges.kafka.topics import create_topics
from order_sagas.bridges.operations.topics import TopicProblem, accept, affected_orders
from order_sagas.bridges.records.asyncapi import asyncapi
from order_sagas.bridges.records.wire_forms import writers_of
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.operator_actions import SYSTEM
from order_sagas.system.app import app_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.action_note import note_outside
from order_sagas.system.cli.commands import Group
from order_sagas.system.cli.confirm import bulk_options, confirm
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import echo, print_document, print_json
from order_sagas.system.kafka_settings import KafkaAccess, connection_of
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options
from order_sagas.system.wire_forms import check_cloud_events

SHOWN = 20
"""Maximum number of orders that are printed; JSON lists all."""


@click.group("topics", cls=Group)
def topics_group() -> None:
    """Create and check the Kafka topics that the system reads and writes."""


@topics_group.command("create")
@operator_options
@settings_options("app", "database", "kafka", "partitions", "replication", "retention_hours")
def create_command(by: str, why: str, settings: Settings) -> None:
    """Create the missing topics. Existing topics are not changed.

    All topics have the same number of partitions, which can never be changed: it decides which
    worker owns an order. If a topic exists with another number, the command fails and creates
    nothing. Dead letters are kept for ever, the others for --retention-hours.
    """
    _need_kafka(settings)
    topics = app_of(settings).topics
    made = create_topics(
        connection_of(settings),
        topics,
        partitions=settings.partitions,
        replication=settings.replication,
        retention=settings.retention_hours * 3600.0,
    )
    for topic in topics:
        what = "created" if topic in made else "already exists"
        echo(f"{topic:<22}{many(settings.partitions, 'partition')}, {what}")
    if made:
        note_outside(
            settings.database, SYSTEM, "topics", action="create topics", by=by, why=why,
            detail=", ".join(made),
        )  # fmt: skip


@topics_group.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("app", "services", "database", "kafka", "kafka_group", "partitions")
@click.pass_context
def check_command(ctx: click.Context, as_json: bool, settings: Settings) -> None:
    """Compare the topics with the stored offsets.

    A topic that was created again, or that has lost its last records, is not read: there is no
    right place to continue. The orders that wait for its records are listed. `topics accept-reset`
    lets the workers read it again. Compacted topics are named too: Kafka may delete their records
    before they are handled.

    Exit codes: 0 the topics fit the offsets, 1 some do not.
    """
    _need_kafka(settings)
    access = KafkaAccess(settings)
    found, compacted = access.unread_partitions(), access.compacted()
    with queries.reading(settings.database) as db:
        orders = affected_orders(db, registry_of(settings), found)
    if as_json:
        named = [each.topic for each in compacted]
        problems = [_as_json(each) for each in found]
        print_json({"problems": problems, "orders": orders, "compacted": named})
    else:
        for each in compacted:
            echo(str(each))
        if found or not compacted:
            _print(found, orders)
    ctx.exit(1 if found or compacted else 0)


@topics_group.command("accept-reset")
@click.argument(
    "topics", nargs=-1, required=True, metavar="TOPIC...", shell_complete=complete.topics
)
@click.option("--from-end", is_flag=True, help="Pass over what the topics hold now.")
@bulk_options
@operator_options
@settings_options("app", "services", "database", "kafka", "kafka_group", "partitions")
def accept_reset_command(
    topics: tuple[str, ...],
    from_end: bool,
    yes: bool,
    dry_run: bool,
    by: str,
    why: str,
    settings: Settings,
) -> None:
    """Continue to read topics that were created again, or have lost their last records.

    Workers begin at the first record of each partition that `topics check` names, or behind the
    last one with --from-end. They need not be stopped: they continue within some seconds. A record
    that was handled before has no effect, because it is recognised by its content. Deleted records
    are not restored: sagas that wait for them time out, and their commands are sent again.
    """
    _need_kafka(settings)
    every = KafkaAccess(settings).unread_partitions()
    unknown = sorted({*topics} - {each.topic for each in every})
    if unknown:
        raise click.ClickException(f"{', '.join(unknown)}: nothing to accept, see `topics check`")
    found = [each for each in every if each.topic in topics]
    with queries.reading(settings.database) as db:
        _print(found, affected_orders(db, registry_of(settings), found))
    if dry_run:
        echo("Nothing was changed.")
        return
    place = "the end" if from_end else "the beginning"
    confirm(f"Read {many(len(found), 'partition')} from {place}?", yes=yes)
    writing, now = connect(settings.database), SystemClock().now()
    try:
        with queries.reading(settings.database) as db:
            accept(writing, db, settings.kafka_group, found, now, by=by, why=why, from_end=from_end)
    finally:
        writing.close()
    echo(f"{many(len(found), 'partition')} will be read from {place}.")


@topics_group.command("asyncapi")
@settings_options("app", "services", "kafka", "partitions", "wire_forms", "cloud_events")
def asyncapi_command(settings: Settings) -> None:
    """Print the topics and their messages as an AsyncAPI 3 document, in JSON.

    It is generated from the definitions of sagas and services, without Kafka.
    """
    registry = registry_of(settings)
    forms = writers_of(registry.participants().values(), dict(settings.wire_forms))
    check_cloud_events(settings, registry)
    document = asyncapi(
        registry,
        app_of(settings).services,
        version=version("order-sagas"),
        partitions=settings.partitions,
        as_strings=forms.keys(),
        cloud_events=settings.cloud_events,
        servers=[host for host in settings.kafka.split(",") if host],
    )
    print_document(document)


def _need_kafka(settings: Settings) -> None:
    if not settings.kafka:
        raise click.UsageError("name the Kafka: --kafka HOST:PORT (or ORDER_SAGAS_KAFKA)")


def _print(found: Sequence[TopicProblem], orders: Sequence[str]) -> None:
    if not found:
        echo("The topics are what the offsets were stored for.")
        return
    for problem in found:
        echo(str(problem))
    named = f": {', '.join(orders[:SHOWN])}" if orders else ""
    more = f" and {len(orders) - SHOWN:,} more; --json lists all" if len(orders) > SHOWN else ""
    echo(f"{many(len(orders), 'order')} waiting for records of them{named}{more}.")


def _as_json(problem: TopicProblem) -> dict[str, object]:
    return {
        "topic": problem.topic,
        "partition": problem.partition,
        "position": problem.position,
        "begin": problem.extent.begin,
        "end": problem.extent.end,
        "former_id": problem.former_id,
        "topic_id": problem.extent.topic_id,
    }
