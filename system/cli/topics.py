"""`order-sagas topics`: create the Kafka topics."""

import click

from order_sagas.actors.words import many
from order_sagas.bridges.kafka.topics import create_topics
from order_sagas.system.app import app_of
from order_sagas.system.kafka_settings import connection_of
from order_sagas.system.settings import Settings, settings_options


@click.group("topics")
def topics_group() -> None:
    """Create the Kafka topics that the system reads and writes."""


@topics_group.command("create")
@settings_options("app", "kafka", "partitions", "replication", "retention_hours")
def create_command(settings: Settings) -> None:
    """Create the missing topics. Existing topics are not changed.

    All topics have the same number of partitions, which can never be changed: it decides which
    worker owns an order. If a topic exists with another number, the command fails and creates
    nothing. Dead letters are kept for ever, the others for --retention-hours.
    """
    if not settings.kafka:
        raise click.UsageError("name the Kafka: --kafka HOST:PORT (or ORDER_SAGAS_KAFKA)")
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
        click.echo(f"{topic:<22}{many(settings.partitions, 'partition')}, {what}")
