"""The exceptions that the modules of `bridges` share."""

from typing import ClassVar


class BridgeError(Exception):
    """Base class of all errors of the adapters to the outside."""

    command: ClassVar[tuple[str, ...]] = ()
    """The `order-sagas` command that helps, as words. Its flags are added by the command line,
    which is the only one to know them."""


class UnreadableRecordError(BridgeError, ValueError):
    """A record cannot be decoded as a message. The error says why."""


class KafkaClientError(BridgeError):
    """Base class of the errors of Kafka and of its use."""


class LostShardError(BridgeError):
    """Another worker has claimed the shard: offset or epoch changed since the batch began."""


class StoreError(BridgeError):
    """The database cannot be used in its present state. The error says what to do."""


class NoDatabaseError(StoreError):
    """The database that is to be read does not exist, or has no tables of this system."""

    command = ("start",)


class OldDatabaseError(StoreError):
    """The database has an older schema version, and this process does not migrate it."""

    command = ("database", "migrate")


class NewerDatabaseError(StoreError):
    """The database has a schema version that is newer than this program."""


class EntityTableError(StoreError):
    """The table of an entity of the app does not fit its class. The error says what to do."""


class ChangedSagaError(StoreError):
    """A saga definition changed without a new version, or is missing. The error says which."""


class ReplacedDatabaseError(StoreError):
    """The file of an SQLite database is not the one that was opened. The error says what to do."""


class UnstorableError(StoreError, ValueError):
    """The database refuses the values that it was to store; nothing of the transaction is stored.

    Repeating it does not help: a constraint is violated, a value is out of range or too large.
    """


class StoreUnavailableError(StoreError, ConnectionError):
    """The database is unreachable, locked, or has no space. The same call may succeed later."""


class ConflictError(StoreUnavailableError):
    """Another transaction was faster; nothing is stored, and the same call may be repeated now."""
