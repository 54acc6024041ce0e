"""What the settings say about Kafka, as the bridges want to hear it."""

import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import attrs

from order_sagas.actors.participants import DEAD_LETTERS, TOPICS
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.group_members import members_of
from order_sagas.bridges.kafka.log import KafkaLog
from order_sagas.bridges.kafka.topic_cache import KeptTopic
from order_sagas.bridges.kafka.topic_scan import ends_of, ends_of_topics
from order_sagas.bridges.kafka.topics import check_topics
from order_sagas.bridges.logs.kafka_outbox import OutboxLog, TopicLetters
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.dead_letters import LetterSource
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.lag import Lag, lag_of_topics
from order_sagas.system.roles import TOPICS_OF_ROLES, group_of
from order_sagas.system.settings import Settings


def connection_of(settings: Settings) -> KafkaConnection:
    """How to reach and log in to Kafka; raises ValueError where the settings do not fit."""

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
"""How long the command that prints a token may take."""


def token_source(settings: Settings) -> Callable[[], str] | None:
    """Where tokens for OAUTHBEARER come from: asked at each connection, since they expire."""
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
    """The log is Kafka's topics; the database knows how far the workers have come.

    With `kept`, dead letters are read on from where they were read before.
    """

    settings: Settings
    kept: KeptTopic | None = None

    def open(self) -> LogWriter:
        return OutboxLog(
            self.settings.database, self.settings.partitions, self._connection,
            self.settings.kafka_group, self.kept,
        )  # fmt: skip

    def letters(self) -> LetterSource:
        return TopicLetters(self._connection, self.settings.partitions, self.kept)

    def knock(self) -> None:
        self._connection.knock()

    def check_topics(self, topics: Sequence[str]) -> None:
        check_topics(self._connection, topics, partitions=self.settings.partitions)

    def running(self) -> int:
        return members_of(self._connection, self.settings.kafka_group)

    def lag(self) -> Lag:
        topics = [topic for topic in TOPICS if topic != DEAD_LETTERS]
        ends = ends_of_topics(self._connection, topics, self.settings.partitions)
        with queries.reading(self.settings.database) as db:
            return lag_of_topics(db, ends, self.settings.kafka_group, TOPICS_OF_ROLES)

    def dead_letters(self) -> int:
        ends = ends_of(self._connection, DEAD_LETTERS, self.settings.partitions)
        return sum(ends.values())

    @property
    def _connection(self) -> KafkaConnection:
        return connection_of(self.settings)


def kept_letters(settings: Settings) -> KeptTopic:
    """The newest dead letters, for a process that looks at them again and again."""
    return KeptTopic(connection_of(settings), DEAD_LETTERS, settings.partitions)


def kafka_log(settings: Settings) -> KafkaLog:
    """All that the bridge needs to reach its log."""
    return KafkaLog(
        connection_of(settings), settings.kafka_group, group_of(settings), settings.session_timeout
    )
