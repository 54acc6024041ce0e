"""The database of one worker: what a batch reads, and the transaction in which it is stored."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from order_sagas.actors.entities import ENTITIES, Entity
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, decode
from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.records.record import Record
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.consumer_offsets import Claim, ConsumerOffsets
from order_sagas.bridges.storage.deferred import DeferralTable
from order_sagas.bridges.storage.early_replies import EarlyReplyTable
from order_sagas.bridges.storage.headers import unpack
from order_sagas.bridges.storage.keywords import KeywordTable
from order_sagas.bridges.storage.log_queues import (
    CONSUMER,
    LEFT,
    LEFT_FOR_OTHERS,
    LEFT_FOR_ROLE,
    LOG,
    OF_ROLES,
    TO_READ,
)
from order_sagas.bridges.storage.log_table import append, append_for_roles
from order_sagas.bridges.storage.operator_actions import OperatorActionTable
from order_sagas.bridges.storage.order_numbers import OrderNumbers
from order_sagas.bridges.storage.outages import OutageTable
from order_sagas.bridges.storage.outbox_events import OutboxEvents
from order_sagas.bridges.storage.outbox_table import OutboxTable
from order_sagas.bridges.storage.preparation import prepare
from order_sagas.bridges.storage.role_offsets import RoleClaim, RoleOffsets
from order_sagas.bridges.storage.rows import Row, SagaRows, rows_of
from order_sagas.bridges.storage.schedules import ScheduleTable
from order_sagas.bridges.storage.schema import metadata
from order_sagas.bridges.storage.topic_ids import TopicIds


class Store:
    """A worker's access to its database, on one connection; used by one thread.

    Methods raise StoreError if the database cannot be used, StoreUnavailableError during an outage;
    `commit` raises LostShardError if another worker has claimed a shard or moved an offset.
    """

    def __init__(
        self,
        database: str | Connection,
        registry: Registry,
        partitions: int,
        consumer: str = CONSUMER,
        entities: Iterable[type[Entity]] = ENTITIES,
        group: str = CONSUMER,
        *,
        migrating: bool = False,
    ) -> None:
        """Open `database`, a URL or an open connection, and create or check its tables.

        `consumer` is the name of the worker's set of roles, `group` the one of all roles. A
        database of a former version is migrated if `migrating`; otherwise OldDatabaseError is
        raised. Raises NewerDatabaseError, and StoreError if it was made with another number of
        partitions.
        """
        self.partitions = partitions
        self.consumer = consumer
        self._registry = registry
        self.db: Connection = connect(database) if isinstance(database, str) else database
        mark = self.db.placeholder
        self._rows = {entity: rows_of(entity, mark) for entity in entities}
        self.entities = tuple(self._rows)
        self._saga_rows = SagaRows(registry, mark)
        numbered = [kind.table for kind, rows in self._rows.items() if rows.numbered]
        self.orders = OrderNumbers(self.db, numbered)
        self._sql = _statements(mark, self.db.is_in)
        self._offsets = ConsumerOffsets(self.db, consumer)
        self._keywords = KeywordTable(self.db)
        self.outbox = OutboxTable(self.db, consumer)
        self.deferred = DeferralTable(self.db, group)
        self.early = EarlyReplyTable(self.db, group)
        self.schedules = ScheduleTable(self.db)
        self.operator_actions = OperatorActionTable(self.db)
        self.outages = OutageTable(self.db)
        self.outbox_events = OutboxEvents(self.db)
        self.topic_ids = TopicIds(self.db)
        prepare(self.db, metadata, migrating=migrating)
        self._check_partitions()

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    # --- reading ------------------------------------------------------------------------------

    def load(self, entity: type[Entity], numbers: Sequence[int]) -> dict[str, Entity]:
        """Return the stored entities of a class, of the orders of these numbers, by order id."""
        rows = self._rows[entity]
        numbers = self.orders.perhaps_stored(entity.table, numbers)
        if not numbers:
            return {}
        sql = f"{rows.select} WHERE no {self.db.is_in('bigint')}"
        found = map(rows.entity, self.db.rows(sql, (self.db.many(numbers, int),)))
        return {e.order_id: e for e in found}  # type: ignore[attr-defined]

    def load_sagas(self, numbers: Sequence[int]) -> dict[str, SagaState]:
        """Return the stored sagas of these orders, in flight or ended, by saga id."""
        numbers = self.orders.perhaps_stored("sagas", numbers)
        if not numbers:
            return {}
        sql = f"SELECT state, saga, version FROM sagas WHERE no {self.db.is_in('bigint')}"
        found = map(self._progress, self.db.rows(sql, (self.db.many(numbers, int),)))
        return {progress.saga_id: progress for progress in found}

    def in_flight(self, shards: Sequence[int]) -> Iterator[SagaState]:
        """Return the sagas in flight on these shards, the earliest deadline first.

        Raises UnknownSagaError if the definition or version of one is not registered.
        """
        sql = (
            f"SELECT state, saga, version FROM sagas WHERE ended_at IS NULL "
            f"AND shard {self.db.is_in('int')} ORDER BY deadline IS NULL, deadline, no"
        )
        return map(self._progress, self.db.rows(sql, (self.db.many(shards, int),)))

    def all_of(self, entity: type[Entity]) -> Iterator[Entity]:
        """Return all entities of a class, of all shards."""
        rows = self._rows[entity]
        return map(rows.entity, self.db.rows(rows.select, ()))

    def owed(
        self, entity: type[Entity], shards: Sequence[int], after: int, limit: int
    ) -> list[tuple[int, str]]:
        """Return (number, order id) of entities that are `pending`: an external call is to be made.

        Only orders of these shards with numbers above `after`, ascending, at most `limit`.
        """
        table, mark = self._rows[entity].table.name, self.db.placeholder
        # Uses the partial index of pending entities, which are few.
        sql = (
            f"SELECT no, order_id FROM {table} e WHERE status = '{entity.pending}' "
            f"AND no > {mark} AND EXISTS (SELECT 1 FROM order_keys k WHERE k.no = e.no "
            f"AND k.shard {self.db.is_in('int')}) ORDER BY no LIMIT {mark}"
        )
        return list(self.db.rows(sql, (after, self.db.many(shards, int), limit)))

    def claim(self, topics: Sequence[str], shards: Sequence[int]) -> Claim:
        """Claim shards: no worker that claimed one of them before can commit for it from now on.

        That includes a batch of timers, which moves no offset. The epoch, which grows with each
        claim, is a fencing token (Kleppmann, "How to do distributed locking", 2016).
        """
        self.db.drop_ids()
        claim = self._offsets.claim(topics, shards)
        self.orders.note_highest()
        return claim

    def claim_for_roles(self, offsets: RoleOffsets, shards: Sequence[int]) -> RoleClaim:
        """Claim shards for a set of roles, each of which has its own offsets."""
        self.db.drop_ids()
        claim = offsets.claim(shards)
        self.orders.note_highest()
        return claim

    def read_log(
        self, after: int, limit: int, shards: Sequence[int] | None = None, queue: str = LOG
    ) -> list[Record]:
        """Return the next records in a queue of the embedded log, by position, at most `limit`.

        Only records after the position `after`, and of `shards`, if given. The queues are explained
        in `storage.log_queues`.
        """
        parameters: list[Any] = [after]
        if queue.startswith(OF_ROLES):
            queue, parameters = OF_ROLES, [queue.removeprefix(OF_ROLES), after]
        sql = self._sql[f"read {queue}"]
        if shards is not None:
            sql = self._sql[f"read {queue} of"]
            parameters.append(self.db.many(shards, int))
        parameters.append(limit)
        return [
            Record(topic, partition, position, key, value, unpack(headers), at)
            for position, topic, partition, key, value, headers, at in self.db.rows(sql, parameters)
        ]

    # --- the one transaction ------------------------------------------------------------------

    def commit(self, changes: Changes, now: float) -> list[int]:
        """Store all changes or none; return the ids of `changes.outbox`, in the same order.

        `now` is in epoch seconds. Raises LostShardError, and StoreUnavailableError, after which the
        changes may be stored nevertheless, if only the response to the COMMIT was lost.
        """
        self._keywords.forget_old(now)
        try:
            with self.db.transaction() as db:
                return self._store(db, changes, now)
        except BaseException:
            self._rolled_back()
            raise

    def try_writes(self, entities: Iterable[Entity], sagas: Iterable[SagaState]) -> None:
        """Check that these could be stored: the transaction that stores them is rolled back.

        Raises UnstorableError if not, StoreUnavailableError, and LostShardError if an order was
        pruned meanwhile.
        """
        try:
            with self.db.transaction() as db:
                self._write_entities(db, Changes(entities=entities, sagas=sagas))()
                self.db.check_now(db)
                raise _RollBackError
        except _RollBackError:
            pass
        finally:
            self._rolled_back()

    def _rolled_back(self) -> None:
        """Forget what was new in the transaction."""
        self.orders.forget()
        self._keywords.forget()

    def _store(self, db: Any, changes: Changes, now: float) -> list[int]:
        # The fencing query is sent first, so that it takes its row locks early; its result is read
        # last, so that the pipeline is not stalled.
        still_ours = self._offsets.check_epochs(db, changes.epochs)
        moved = self._offsets.move(db, changes)
        still_there = self._write_entities(db, changes)
        if changes.appended:
            append(self.db, db, changes.appended, now)
        if changes.left:
            append_for_roles(self.db, db, changes.left, now)
        if changes.deferred or changes.redelivered:
            self.deferred.store(db, changes.deferred, changes.redelivered, now)
        if changes.early or changes.settled:
            self.early.store(db, changes.early, changes.settled)
        if changes.schedules:
            self.schedules.store(db, changes.schedules)
        if changes.operated:
            self.operator_actions.settle(db, changes.operated)
        if changes.held:
            self.operator_actions.hold(db, changes.held)
        if changes.published:
            self.outbox.delete(db, changes.published)
        if changes.refused:
            self.outbox.replace(db, changes.refused)
        if changes.events:
            self.outbox_events.add(db, changes.events, now)
        ids = self.outbox.add(db, changes.outbox) if changes.outbox else []
        still_ours()
        moved()
        still_there()
        return ids

    def _write_entities(self, db: Any, changes: Changes) -> Callable[[], None]:
        from order_sagas.bridges.records.partitioner import partition_for

        entities, sagas = list(changes.entities), list(changes.sagas)
        # In the order of their first occurrence: see `OrderNumbers.number`.
        # `hasattr` makes sure of the attribute.
        keyed = dict.fromkeys([e.order_id for e in entities if hasattr(e, "order_id")])  # pyright: ignore[reportAttributeAccessIssue]
        keyed.update(dict.fromkeys([saga.order_id for saga in sagas]))
        shards = {key: partition_for(key.encode(), self.partitions) for key in keyed}
        numbers = self.orders.number(db, shards)
        still_there = self.orders.check_pruned(db, keyed)
        by_class: dict[type[Entity], list[Row]] = {}
        with_keywords: list[tuple[int, Entity]] = []
        for entity in entities:
            rows = self._rows[type(entity)]
            row = rows.row(entity)
            if rows.numbered:
                no = numbers[entity.order_id]  # type: ignore[attr-defined]
                row = (no, *row)
                if rows.has_keywords:
                    with_keywords.append((no, entity))
            by_class.setdefault(type(entity), []).append(row)
        for kind, all_rows in by_class.items():
            self.db.insert(db, self._rows[kind].upsert, all_rows)
            if self._rows[kind].numbered:
                self.orders.stored(kind.table, all_rows)
        if with_keywords:
            self._keywords.store(db, with_keywords, changes.epochs)
        if sagas:
            saga_rows = [
                self._saga_rows.row(numbers[s.order_id], shards[s.order_id], s) for s in sagas
            ]
            self.db.insert(db, self._saga_rows.upsert, saga_rows)
            self.orders.stored("sagas", saga_rows)
        return still_there

    # --- the schema ---------------------------------------------------------------------------

    def _check_partitions(self) -> None:
        """Store the number of partitions of a new database; check that of an existing one."""
        made_with = list(self.db.rows(self._sql["partitions"], ()))
        if not made_with:
            with self.db.transaction() as db:
                db.execute(self._sql["set_partitions"], (str(self.partitions),))
            made_with = list(self.db.rows(self._sql["partitions"], ()))
        ((value,),) = made_with
        if value != str(self.partitions):
            raise StoreError(
                f"the database was made with partitions = {value}, and {self.partitions} is "
                f"wanted; set partitions to {value}, or use another database"
            )

    def _progress(self, row: Row) -> SagaState:
        raw, saga, version = row
        return decode(raw, self._registry.get(saga, version))


class _RollBackError(Exception):
    """Ends a transaction without a commit."""


def _statements(mark: str, is_in: Any) -> dict[str, str]:
    # The number is a literal, since a partial index cannot be used with a parameter.
    read_log = (
        "SELECT position, topic, partition, key, value, headers, appended_at FROM log "
        f"WHERE {{}}position > {mark} AND handled = {{}}{{}} ORDER BY position LIMIT {mark}"
    )
    of_role = f"role = {mark} AND "
    of_shards = f" AND partition {is_in('int')}"
    return {
        f"read {LOG}": read_log.format("", TO_READ, ""),
        f"read {LOG} of": read_log.format("", TO_READ, of_shards),
        f"read {LEFT}": read_log.format("", LEFT_FOR_OTHERS, ""),
        f"read {LEFT} of": read_log.format("", LEFT_FOR_OTHERS, of_shards),
        f"read {OF_ROLES}": read_log.format(of_role, LEFT_FOR_ROLE, ""),
        f"read {OF_ROLES} of": read_log.format(of_role, LEFT_FOR_ROLE, of_shards),
        "partitions": "SELECT value FROM meta WHERE name = 'partitions'",
        "set_partitions": (
            f"INSERT INTO meta (name, value) VALUES ('partitions', {mark}) ON CONFLICT DO NOTHING"
        ),
    }
