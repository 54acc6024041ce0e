"""`order-sagas topics`: Kafka's topics."""

import click

from actors.words import many
from bridges.kafka.topics import create_topics
from bridges.routes import Routes
from system.bootstrap import SERVICES
from system.definitions import registry_of
from system.kafka import connection_of
from system.settings import Settings, settings_options


@click.group("topics")
def topics_group() -> None:
    """Make the topics in Kafka that the system reads and writes."""


@topics_group.command("create")
@settings_options("kafka", "partitions", "replication", "retention_hours")
def create_command(settings: Settings) -> None:
    """Make the topics that are not there yet. What is there stays as it is.

    All have the same number of partitions, which can never be changed: it decides which worker
    owns an order. A topic that is there with another number is refused, and nothing is made.
    Dead letters are kept for good, the others for --retention-hours.
    """
    if not settings.kafka:
        raise click.UsageError("name the Kafka: --kafka HOST:PORT (or ORDER_SAGAS_KAFKA)")
    topics = Routes(registry_of(settings), SERVICES).topics
    made = create_topics(
        connection_of(settings),
        topics,
        partitions=settings.partitions,
        replication=settings.replication,
        retention=settings.retention_hours * 3600.0,
    )
    for topic in topics:
        what = "made" if topic in made else "was there"
        click.echo(f"{topic:<22}{many(settings.partitions, 'partition')}, {what}")
