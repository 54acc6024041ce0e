"""Access to the log that the settings name, embedded or Kafka, from outside the workers.

The Kafka client takes long to load, so it is imported only if the settings name a Kafka.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import attrs

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.logs.embedded import EmbeddedLetters, EmbeddedLog
from order_sagas.bridges.logs.log_writer import DeadLetterSource, LogWriter
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.instance_lock import running_process
from order_sagas.bridges.storage.lag import Lag, dead_letter_records, lag_of_embedded
from order_sagas.bridges.storage.order_records import OrderRecords, records_around
from order_sagas.system.app import app_of
from order_sagas.system.settings import Settings
from order_sagas.system.settings.model import OUTBOX_TABLE


class LogAccess(Protocol):
    """Access to a log from outside the workers. Methods raise BridgeError if it is unavailable."""

    def open(self) -> LogWriter:
        """Open a writer, for the calling thread."""
        ...

    def letters(self) -> DeadLetterSource:
        """Return the source of dead letters; the log is not opened for writing."""
        ...

    def check_reachable(self) -> None:
        """Raise BridgeError unless the log is reachable."""
        ...

    def check_topics(self, topics: Sequence[str]) -> None:
        """Raise BridgeError unless the topics exist with the right number of partitions."""
        ...

    def running(self) -> int:
        """Return the number of running workers or systems that handle records."""
        ...

    def lag(self) -> Lag:
        """Return the number of records not handled yet, by topic and by role."""
        ...

    def problems(self) -> Sequence[object]:
        """Return the problems of topics, each as a text for people."""
        ...

    def lost_orders(self) -> list[str]:
        """Return the accepted orders whose start is no longer in the log."""
        ...

    def dead_letters(self) -> int:
        """Return the number of records in the dead-letter topic, including marks."""
        ...

    def records_of(
        self, order_id: str, keys: Collection[str], moments: Sequence[float]
    ) -> OrderRecords:
        """Return the records of an order with these keys, from around moments (epoch seconds)."""
        ...


def log_access(settings: Settings, *, again_and_again: bool = False) -> LogAccess:
    """Return the access to the log that the settings name.

    With `again_and_again`, for a long-running process, dead letters in Kafka are cached: they are
    not read again each time, and if there are very many, only the newest are returned. The lag is
    read on connections that stay open.
    """
    if settings.kafka:
        from order_sagas.system.kafka_settings import (  # imported here, as it loads the client
            KafkaAccess,
            kept_access,
        )

        return kept_access(settings) if again_and_again else KafkaAccess(settings)
    return EmbeddedAccess(settings)


@attrs.frozen
class EmbeddedAccess:
    """Access to the embedded log, a table of the database."""

    settings: Settings

    def open(self) -> LogWriter:
        """Open a writer. Raises StoreError if the database cannot hold the embedded log."""
        check_log(self.settings)
        return EmbeddedLog(self.settings.database, self.settings.partitions)

    def letters(self) -> DeadLetterSource:
        """Return the source of the dead letters of this log."""
        check_log(self.settings)
        return EmbeddedLetters(self.settings.database)

    def check_reachable(self) -> None:
        """Do nothing: the log is available if the database is."""

    def check_topics(self, topics: Sequence[str]) -> None:
        """Do nothing: a topic exists from its first record on."""

    def running(self) -> int:
        """Return 1 if a system holds the lock of the database, else 0."""
        return int(running_process(self.settings.database) is not None)

    def lag(self) -> Lag:
        """Return the number of records not handled yet, by topic and by role."""
        app = app_of(self.settings)
        with queries.reading(self.settings.database) as db:
            return lag_of_embedded(db, app.topics_of_roles).named(app.names_of_roles)

    def problems(self) -> Sequence[object]:
        """Return nothing: the log and its offsets are in one database."""
        return ()

    def lost_orders(self) -> list[str]:
        """Return nothing: no record is deleted before it is handled."""
        return []

    def dead_letters(self) -> int:
        """Return the number of records in the dead-letter topic, including marks."""
        with queries.reading(self.settings.database) as db:
            return dead_letter_records(db)

    def records_of(
        self, order_id: str, keys: Collection[str], moments: Sequence[float]
    ) -> OrderRecords:
        """Return the records of an order with these keys, from around moments (epoch seconds)."""
        with queries.reading(self.settings.database) as db:
            return records_around(db, order_id, keys, moments)


def check_log(settings: Settings) -> None:
    """Raise StoreError if the embedded log is configured with what only Kafka can do.

    That is a database other than SQLite, or records that change data capture publishes.
    """
    if not settings.kafka and settings.publish == OUTBOX_TABLE:
        raise StoreError(
            f"publish = {OUTBOX_TABLE} leaves records to what publishes them to Kafka: name that "
            "Kafka (--kafka); the embedded log is read from the database itself"
        )
    if not settings.kafka and not settings.database.startswith("sqlite"):
        raise StoreError(
            "the embedded log is a table of SQLite: "
            "name the Kafka to use with this database (--kafka), or an sqlite:/// database"
        )
