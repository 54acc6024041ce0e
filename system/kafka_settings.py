"""Converts the settings of Kafka to the types of the bridges."""

import shlex
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs

from order_sagas.actors.participants import ORDERS
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.consumer_listener import Extent
from order_sagas.bridges.kafka.errors import TopicMissingError
from order_sagas.bridges.kafka.group_members import members_of
from order_sagas.bridges.kafka.log import KafkaLog
from order_sagas.bridges.kafka.order_records import records_in_topics
from order_sagas.bridges.kafka.topic_cache import KeptTopic
from order_sagas.bridges.kafka.topic_scan import KeptEnds, ends_of_topics, extents_of_topics
from order_sagas.bridges.kafka.topics import check_topics, compacted_topics
from order_sagas.bridges.logs.kafka_outbox import OutboxLog, TopicLetters, head_of
from order_sagas.bridges.logs.log_writer import DeadLetterSource, LogWriter
from order_sagas.bridges.operations.topics import CompactedTopic, TopicProblem, problems
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.lag import Lag, lag_of_topics
from order_sagas.bridges.storage.lost_orders import (
    any_waiting,
    handled_partitions,
    lost_orders,
    waiting_orders,
)
from order_sagas.bridges.storage.order_records import OrderRecords
from order_sagas.system.app import app_of
from order_sagas.system.roles import group_of
from order_sagas.system.settings import Settings
from order_sagas.system.settings.model import OUTBOX_TABLE
from order_sagas.system.wire_forms import wire_forms_of


def connection_of(settings: Settings) -> KafkaConnection:
    """Return the connection parameters of Kafka. Raises ValueError if they are inconsistent."""

    def path(text: str) -> Path | None:
        return Path(text) if text else None

    choice: Any = settings
    return KafkaConnection(
        bootstrap_servers=settings.kafka,
        security_protocol=choice.kafka_security_protocol,
        sasl_mechanism=cast(Any, settings.kafka_sasl_mechanism or None),
        username=settings.kafka_username or None,
        password=settings.kafka_password or None,
        ssl_ca=path(settings.kafka_ssl_cafile),
        ssl_certificate=path(settings.kafka_ssl_certfile),
        ssl_key=path(settings.kafka_ssl_keyfile),
        ssl_key_password=settings.kafka_ssl_key_password or None,
        ssl_check_hostname=settings.kafka_ssl_check_hostname,
        oauth_token=token_source(settings),
    )


TOKEN_SECONDS = 20.0
"""Time limit in seconds for the command that prints a token."""


def token_source(settings: Settings) -> Callable[[], str] | None:
    """Return the source of OAUTHBEARER tokens, or None. Called per connection, as tokens expire."""
    if settings.kafka_token_command:
        command = shlex.split(settings.kafka_token_command)

        def print_token() -> str:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, timeout=TOKEN_SECONDS, check=True
            )
            return done.stdout.strip()

        return print_token
    if settings.kafka_token_file:
        file = Path(settings.kafka_token_file)
        return lambda: file.read_text(encoding="utf-8").strip()
    return None


@attrs.frozen
class KafkaAccess:
    """Access to the log in Kafka. The workers' offsets are read from the database.

    With `kept`, reading dead letters continues where the previous reading ended; with `ends`, the
    lag is read on connections that are kept.
    """

    settings: Settings
    kept: KeptTopic | None = None
    ends: KeptEnds | None = None

    def open(self) -> LogWriter:
        """Open a writer that stores records in the outbox, then publishes them to Kafka."""
        return OutboxLog(
            self.settings.database, self.settings.partitions, self._connection,
            app_of(self.settings).topics, self.settings.kafka_group, self.kept,
            wire_forms_of(self.settings), by_capture=self.settings.publish == OUTBOX_TABLE,
        )  # fmt: skip

    def letters(self) -> DeadLetterSource:
        """Return the source of the dead letters of this log."""
        return TopicLetters(self._connection, self.settings.partitions, self.kept)

    def check_reachable(self) -> None:
        """Raise BridgeError unless a broker accepts connections."""
        self._connection.check_reachable()

    def check_topics(self, topics: Sequence[str]) -> None:
        """Raise BridgeError unless the topics exist with the right number of partitions."""
        check_topics(self._connection, topics, partitions=self.settings.partitions)

    def running(self) -> int:
        """Return the number of workers: the members of the consumer groups of all roles."""
        return members_of(self._connection, self.settings.kafka_group)

    def lag(self) -> Lag:
        """Return the number of records not handled yet, from Kafka's ends and stored offsets."""
        app = app_of(self.settings)
        topics = [topic for topic in app.topics if topic != DEAD_LETTERS]
        ends = self._ends_of(topics)
        with queries.reading(self.settings.database) as db:
            lag = lag_of_topics(db, ends, self.settings.kafka_group, app.topics_of_roles)
        return lag.named(app.names_of_roles)

    def problems(self) -> Sequence[object]:
        """Return a missing topic, or unread partitions and compacted topics."""
        try:
            return [*self.unread_partitions(), *self.compacted()]
        except TopicMissingError as error:
            return [error]

    def compacted(self) -> list[CompactedTopic]:
        """Return the topics of which Kafka deletes all but the newest record of a key."""
        topics = app_of(self.settings).topics
        return [CompactedTopic(topic) for topic in compacted_topics(self._connection, topics)]

    def unread_partitions(self) -> list[TopicProblem]:
        """Return the partitions that are not read, because their topics are not as stored.

        Raises TopicMissingError.
        """
        topics = app_of(self.settings).topics
        extents = self._extents([topic for topic in topics if topic != DEAD_LETTERS])
        with queries.reading(self.settings.database) as db:
            return problems(db, self.settings.kafka_group, extents)

    def lost_orders(self) -> list[str]:
        """Return the accepted orders whose start is no longer in Kafka, oldest first."""
        topic, group = ORDERS.topic, self.settings.kafka_group
        with queries.reading(self.settings.database) as db:
            if not any_waiting(db):
                return []
        extents = self._extents_of_readable(topic)
        with queries.reading(self.settings.database) as db:
            # Of shards with a backlog, all wait: only the others have orders that may be lost.
            handled = handled_partitions(db, topic, group, extents)
            waiting = waiting_orders(db, topic, handled)
        if not waiting:
            return []
        extents = self._extents_of_readable(topic)
        with queries.reading(self.settings.database) as db:
            return lost_orders(db, waiting, topic, group, extents)

    def _extents_of_readable(self, topic: str) -> dict[int, tuple[int, int]]:
        extents = self._extents([topic])
        with queries.reading(self.settings.database) as db:
            found = problems(db, self.settings.kafka_group, extents)
        unread = {problem.partition for problem in found}
        return {
            partition: (extent.begin, extent.end)
            for (_, partition), extent in extents.items()
            if partition not in unread
        }

    def _extents(self, topics: Sequence[str]) -> dict[tuple[str, int], Extent]:
        return extents_of_topics(self._connection, topics, self.settings.partitions)

    def dead_letters(self) -> int:
        """Return the number of records in the dead-letter topic, including marks."""
        return sum(self._ends_of([DEAD_LETTERS]).values())

    def _ends_of(self, topics: Sequence[str]) -> Mapping[tuple[str, int], int]:
        if self.ends is not None:
            return self.ends.of(topics)
        return ends_of_topics(self._connection, topics, self.settings.partitions)

    def records_of(
        self, order_id: str, keys: Collection[str], moments: Sequence[float]
    ) -> OrderRecords:
        """Return the records of an order with these keys, from around moments (epoch seconds)."""
        topics = [topic for topic in app_of(self.settings).topics if topic != DEAD_LETTERS]
        return records_in_topics(
            self._connection, topics, self.settings.partitions, order_id, keys, moments
        )

    @property
    def _connection(self) -> KafkaConnection:
        return connection_of(self.settings)


def kept_access(settings: Settings) -> KafkaAccess:
    """Return the access of a process that reads dead letters, and the lag, repeatedly."""
    connection, partitions = connection_of(settings), settings.partitions
    letters = KeptTopic(connection, DEAD_LETTERS, partitions, keep=head_of)
    return KafkaAccess(settings, letters, KeptEnds(connection, partitions))


def kafka_log(settings: Settings) -> KafkaLog:
    """Return the batch processor's access to Kafka."""
    return KafkaLog(
        connection_of(settings), settings.kafka_group, group_of(settings), settings.session_timeout
    )
