"""Reaching the log that the settings name: the embedded one, or Kafka's topics.

Kafka's client takes long to load: whoever does not name a Kafka must not wait for it.
"""

from collections.abc import Sequence
from typing import Protocol

import attrs

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.logs.embedded import EmbeddedLetters, EmbeddedLog
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.dead_letters import LetterSource
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.instance_lock import running_process
from order_sagas.bridges.storage.lag import Lag, dead_letter_records, lag_of_embedded
from order_sagas.system.roles import TOPICS_OF_ROLES
from order_sagas.system.settings import Settings


class LogAccess(Protocol):
    """What is asked of a log from outside the system. Raises BridgeError where nobody can tell."""

    def open(self) -> LogWriter:
        """To write to."""
        ...

    def letters(self) -> LetterSource:
        """To read dead letters: nothing is opened to write to."""
        ...

    def knock(self) -> None:
        """Raise BridgeError unless somebody is there."""
        ...

    def check_topics(self, topics: Sequence[str]) -> None:
        """Raise BridgeError unless they are as they must be."""
        ...

    def running(self) -> int:
        """How many systems handle what is written."""
        ...

    def lag(self) -> Lag:
        """Records that wait, by topic and by role."""
        ...

    def dead_letters(self) -> int:
        """Records among the dead letters, with the marks of those seen to."""
        ...


def log_access(settings: Settings, *, again_and_again: bool = False) -> LogAccess:
    """The way to the log that the settings name.

    Who looks `again_and_again`, for as long as it lives, is told of the newest dead letters only
    where there are very many, and need not read all of them each time.
    """
    if settings.kafka:
        from order_sagas.system.kafka_settings import (  # here, for those who name one
            KafkaAccess,
            kept_letters,
        )

        return KafkaAccess(settings, kept_letters(settings) if again_and_again else None)
    return EmbeddedAccess(settings)


@attrs.frozen
class EmbeddedAccess:
    """The log is a table of the database, which is asked for everything."""

    settings: Settings

    def open(self) -> LogWriter:
        check_log(self.settings)
        return EmbeddedLog(self.settings.database, self.settings.partitions)

    def letters(self) -> LetterSource:
        check_log(self.settings)
        return EmbeddedLetters(self.settings.database)

    def knock(self) -> None:
        """Where the database is, it is."""

    def check_topics(self, topics: Sequence[str]) -> None:
        """A topic is there with its first record."""

    def running(self) -> int:
        return int(running_process(self.settings.database) is not None)

    def lag(self) -> Lag:
        with queries.reading(self.settings.database) as db:
            return lag_of_embedded(db, TOPICS_OF_ROLES)

    def dead_letters(self) -> int:
        with queries.reading(self.settings.database) as db:
            return dead_letter_records(db)


def check_log(settings: Settings) -> None:
    """Raise StoreError unless the settings name a log that goes with the database."""
    if not settings.kafka and not settings.database.startswith("sqlite"):
        raise StoreError(
            "the embedded log is a table of SQLite: "
            "name the Kafka to use with this database (--kafka), or an sqlite:/// database"
        )
