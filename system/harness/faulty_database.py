"""The in-memory database of a harness, its faults, and a store that reports commits."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import attrs

from order_sagas.bridges.errors import LostShardError, StoreUnavailableError
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.consumer_offsets import Claim
from order_sagas.bridges.storage.log_queues import TO_READ
from order_sagas.bridges.storage.log_table import append
from order_sagas.bridges.storage.preparation import prepare
from order_sagas.bridges.storage.role_offsets import RoleClaim, RoleOffsets
from order_sagas.bridges.storage.schema import metadata
from order_sagas.bridges.storage.sqlite import SqliteConnection
from order_sagas.bridges.storage.store import Store
from order_sagas.system.harness.faults import CommitFails, LosesShard, ReadFails, Strike
from order_sagas.system.harness.worker_state import WorkerState


@cache
def _empty() -> sqlite3.Connection:
    """Return a database with all tables, to copy: ten times as fast as creating one."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    prepare(OneLife(connection), metadata)
    return connection


class OneLife(SqliteConnection):
    """The database's only connection, used by one life of a worker.

    All workers share it: they run on one thread, and no transaction is left open when another
    worker runs. Prepared statements stay valid for the next life, since opening a connection and
    preparing them again would take longer than many a simulated life.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.use(connection)

    def close(self) -> None:
        """Roll back an open transaction; the connection itself stays open."""
        if self._connection.in_transaction:
            self._connection.rollback()


class Database:
    """An in-memory database that outlives its workers, with its faults.

    `on_commit` is called with worker and changes after each commit, before the worker continues.
    """

    def __init__(self, on_commit: Callable[[WorkerState, Changes], None], struck: Strike) -> None:
        self._struck = struck
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        """The only connection, for the workers and for direct access."""
        _empty().backup(self.connection)
        self._direct = OneLife(self.connection)
        self.on_commit = on_commit
        self.commits = 0
        self.reads = 0
        self.handovers: Counter[int] = Counter()
        """Number of times that each shard was claimed by a different worker than before."""
        self._owners: dict[int, WorkerState] = {}
        self._failing: dict[int, CommitFails] = {}
        self._lost: dict[int, LosesShard] = {}
        self._unread: dict[int, ReadFails] = {}

    def connect(self, url: str) -> Connection:
        """Return a connection for one life of a worker; `url` is ignored."""
        return OneLife(self.connection)

    def plan(self, fault: CommitFails | LosesShard | ReadFails) -> None:
        """Put a fault in force, counted from now on."""
        if isinstance(fault, CommitFails):
            for i in range(fault.times):
                self._failing[self.commits + fault.nth + i] = fault
        elif isinstance(fault, LosesShard):
            self._lost[self.commits + fault.nth] = fault
        else:
            self._unread[self.reads + fault.nth] = fault

    def clear(self) -> None:
        """Remove all faults."""
        self._failing.clear()
        self._lost.clear()
        self._unread.clear()

    def close(self) -> None:
        """Close the connection; all data is lost."""
        self.connection.close()

    def append(self, outgoing: Outgoing, now: float) -> None:
        """Append a record to the embedded log; `now` is in epoch seconds."""
        append(self._direct, self.connection, [(outgoing, TO_READ)], now)

    def pause(self, name: str, why: str, now: float) -> None:
        """Begin a pause of a service or of the intake."""
        self.connection.execute(
            "INSERT INTO pauses (name, by, why, since) VALUES (?, 'operator', ?, ?)",
            (name, why, now),
        )

    def unpause(self, name: str, now: float) -> None:
        """End a pause."""
        self.connection.execute(
            "UPDATE pauses SET until = ?, ended_by = 'operator' WHERE name = ? AND until IS NULL",
            (now, name),
        )

    def before_read(self) -> None:
        """Count a read; raises StoreUnavailableError if a fault is planned for it."""
        self.reads += 1
        if fault := self._unread.get(self.reads):
            self._struck(fault, "", "reading the log")
            raise StoreUnavailableError("the database is away, on purpose")

    def claimed(self, worker: WorkerState, shards: Iterable[int]) -> None:
        """Record the new owner of these shards."""
        for shard in shards:
            if self._owners.get(shard) is not worker:
                self._owners[shard] = worker
                self.handovers[shard] += 1

    def owner(self, shard: int) -> WorkerState | None:
        """Return the worker that claimed this shard last."""
        return self._owners.get(shard)

    def commit(self, worker: WorkerState, store: Store, changes: Changes, now: float) -> list[int]:
        """Commit, or fail as planned for this commit.

        Raises LostShardError or StoreUnavailableError.
        """
        self.commits += 1
        if lost := self._lost.get(self.commits):
            self._struck(lost, "", "a commit")
            raise LostShardError("a shard was lost, on purpose")
        failing = self._failing.pop(self.commits, None)
        where = failing.where if failing else ""
        if failing:
            self._struck(failing, "", "a commit")
        if where == "before":
            raise StoreUnavailableError("the database is away, on purpose")
        if where == "during":
            store.commit(attrs.evolve(changes, appended=_Broken()), now)
        numbers = store.commit(changes, now)
        self.on_commit(worker, changes)
        if where:
            raise StoreUnavailableError("the database went away before it answered, on purpose")
        return numbers


class _Broken(list[Any]):
    """Records to append whose iteration fails, so that the transaction is not committed."""

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        raise StoreUnavailableError("the connection broke within the transaction, on purpose")


class WatchedStore:
    """A store with the faults of a `Database`, to which it reports commits and claims."""

    def __init__(self, store: Store, database: Database, worker: WorkerState) -> None:
        self._store = store
        self._worker = worker
        self._database = database
        # Methods that are called for each message bypass `__getattr__`.
        self.partitions = store.partitions
        self.orders = store.orders
        self.load = store.load
        self.load_sagas = store.load_sagas

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read_log(self, *where: Any) -> list[Record]:
        """Read the embedded log; a planned fault raises StoreUnavailableError."""
        self._database.before_read()
        return self._store.read_log(*where)

    def commit(self, changes: Changes, now: float) -> list[int]:
        """Commit, subject to the database faults in force."""
        return self._database.commit(self._worker, self._store, changes, now)

    def claim(self, topics: Sequence[str], shards: Sequence[int]) -> Claim:
        """Claim shards, and note the worker as their owner."""
        claim = self._store.claim(topics, shards)
        self._database.claimed(self._worker, shards)
        return claim

    def claim_for_roles(self, offsets: RoleOffsets, shards: Sequence[int]) -> RoleClaim:
        """Claim shards for roles, and note the worker as their owner."""
        claim = self._store.claim_for_roles(offsets, shards)
        self._database.claimed(self._worker, shards)
        return claim
