"""The errors of the bridges."""

from typing import ClassVar


class BridgeError(Exception):
    """Something between the actors and the outside world went wrong."""

    command: ClassVar[tuple[str, ...]] = ()
    """The command of `order-sagas` that helps, as words, for whoever shows the error to a person:
    only the command line knows the flags that it takes here."""


class UnreadableRecordError(BridgeError, ValueError):
    """A record is not a message of this system; says why."""


class KafkaBridgeError(BridgeError):
    """Something is wrong with Kafka, or with how we use it."""


class LostShardError(BridgeError):
    """Another worker owns the shard now: the offsets are not where this batch began."""


class StoreError(BridgeError):
    """The database cannot be used as it is; says what to do."""


class NoDatabaseError(StoreError):
    """There is no database where one is to be read, or one without tables of ours."""

    command = ("start",)


class OldDatabaseError(StoreError):
    """The database is of a former schema version, and this process does not migrate it."""

    command = ("database", "migrate")


class NewerDatabaseError(StoreError):
    """The database is of a schema version that this program does not know."""


class StoreUnavailableError(StoreError, ConnectionError):
    """The database is away or locked for now; the same call may work later."""
