"""The database of one worker: what it reads before a batch, and the one transaction after it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs

from order_sagas.actors.entities import ENTITIES, Entity
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, decode
from order_sagas.bridges.errors import LostShardError, StoreError
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.deferred import DeferralTable, DeferredRecord
from order_sagas.bridges.storage.headers import pack, unpack
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
from order_sagas.bridges.storage.outages import OutageTable
from order_sagas.bridges.storage.preparation import prepare
from order_sagas.bridges.storage.role_offsets import EPOCHS, RoleClaim, RoleOffsets
from order_sagas.bridges.storage.rows import Row, SagaRows, rows_of
from order_sagas.bridges.storage.schema import metadata

SUBMITTED = "#submitted"
"""The consumer under which the outbox keeps what came from outside, from submitters say."""
ALL = 2**31 - 1
"""As many as there are."""
KNOWN_KEYS = 200_000
"""How many order ids are remembered with their numbers."""


@attrs.define
class Changes:
    """All that one batch did, to be stored in one transaction or not at all."""

    entities: Iterable[Entity] = ()
    sagas: Iterable[SagaState] = ()
    appended: list[tuple[Outgoing, int]] = attrs.field(factory=list)
    """Records for the embedded log, each with its `handled` (see `queues`)."""
    left: Sequence[tuple[Outgoing, str]] = ()
    """Records for the embedded log, each for a role that did not run here."""
    outbox: list[tuple[int, Outgoing]] = attrs.field(factory=list)
    """Records for Kafka, each with the shard that caused it."""
    published: Sequence[int] = ()
    """Ids of outbox rows that an earlier batch stored and Kafka has acknowledged."""
    refused: Sequence[tuple[int, Outgoing]] = ()
    """Ids of outbox rows whose records Kafka will never take, each with its dead letter."""
    offsets: dict[tuple[str, int], tuple[int, int]] = attrs.field(factory=dict)
    """(topic, partition): where this batch began, and where it ends."""
    moves: Sequence[tuple[str, int, str, int, int]] = ()
    """The same of other consumers: topic, partition, consumer, where it began, where it ends."""
    deferred: Sequence[DeferredRecord] = ()
    """What to keep for services that are paused."""
    redelivered: Sequence[int] = ()
    """Ids of what was kept and is delivered now."""
    epochs: dict[int, int] = attrs.field(factory=dict)
    """The shards that this batch may touch, each with the epoch in which it was claimed."""


@attrs.frozen
class Claim:
    """Shards that are ours until somebody else claims them."""

    epochs: dict[int, int]
    offsets: dict[tuple[str, int], int]
    """(topic, partition): the position up to which its records were handled; 0 for none."""


class Store:
    """One connection, used by one thread: to the database of a URL, or one that is open already.

    Raises StoreError where the database cannot be used, StoreUnavailableError where it is away
    for now, and LostShardError from `commit` where another worker has moved the offsets.
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
        """`consumer` stands for the worker's set of roles, `group` for those of all roles.

        An empty database is made; one of a former version is migrated if `migrating`. Raises
        OldDatabaseError where it is not, and NewerDatabaseError.
        """
        self.partitions = partitions
        self.consumer = consumer
        self._registry = registry
        self.db: Connection = connect(database) if isinstance(database, str) else database
        mark = self.db.placeholder
        self._rows = {entity: rows_of(entity, mark) for entity in entities}
        self.entities = tuple(self._rows)
        self._saga_rows = SagaRows(registry, mark)
        self._numbers: dict[str, int] = {}
        self._highest: dict[str, int] = {}
        """The highest number in each table when shards were last claimed, or stored since."""
        self._sql = _statements(mark, self.db.is_in, self.db.lock)
        self.deferred = DeferralTable(self.db, group)
        self.outages = OutageTable(self.db)
        prepare(self.db, metadata, migrating=migrating)
        self._check_partitions()

    def close(self) -> None:
        """Close the connection; what is not committed is dropped."""
        self.db.close()

    # --- reading ------------------------------------------------------------------------------

    def numbers(self, order_ids: Iterable[str]) -> dict[str, int]:
        """The numbers of these order ids, without those that have none yet."""
        known = self._numbers
        wanted = dict.fromkeys(order_ids)
        missing = [order_id for order_id in wanted if order_id not in known]
        if missing:
            if len(known) > KNOWN_KEYS:
                known.clear()
                missing = list(wanted)
            known.update(self.db.rows(self._sql["numbers"], (self.db.many(missing, str),)))
        return {order_id: known[order_id] for order_id in wanted if order_id in known}

    def load(self, entity: type[Entity], numbers: Sequence[int]) -> dict[str, Entity]:
        """The stored entities of these orders, by order id."""
        rows = self._rows[entity]
        numbers = self._perhaps_stored(entity.table, numbers)
        if not numbers:
            return {}
        sql = f"{rows.select} WHERE no {self.db.is_in('bigint')}"
        found = map(rows.entity, self.db.rows(sql, (self.db.many(numbers, int),)))
        return {e.order_id: e for e in found}  # type: ignore[attr-defined]

    def load_sagas(self, numbers: Sequence[int]) -> dict[str, SagaState]:
        """The stored sagas of these orders, in flight or ended, by saga id."""
        numbers = self._perhaps_stored("sagas", numbers)
        if not numbers:
            return {}
        sql = f"SELECT state, saga, version FROM sagas WHERE no {self.db.is_in('bigint')}"
        found = map(self._progress, self.db.rows(sql, (self.db.many(numbers, int),)))
        return {progress.saga_id: progress for progress in found}

    def _perhaps_stored(self, table: str, numbers: Sequence[int]) -> Sequence[int]:
        """Without those that cannot be: new orders have higher numbers than any that was stored.

        What others stored of our shards they stored before we claimed them; since then only we do.
        """
        highest = self._highest.get(table)
        return numbers if highest is None else [n for n in numbers if n <= highest]

    def may_be_pruned(self, order_id: str) -> bool:
        """Whether `pruned` has to be asked: no new order is, of those `numbers` was asked for."""
        no = self._numbers.get(order_id)
        return no is not None and no <= self._highest.get("pruned", no)

    def pruned(self, order_ids: Iterable[str]) -> set[str]:
        """Those of which nothing but the id is left."""
        asked = {no: order_id for order_id, no in self.numbers(order_ids).items()}
        found = self.db.rows(self._sql["pruned"], (self.db.many([*asked], int),))
        return {asked[no] for (no,) in found}

    def in_flight(self, shards: Sequence[int]) -> Iterator[SagaState]:
        """Every saga of these shards that has not ended, the earliest deadline first.

        Raises UnknownSagaError if one was begun with a definition that is not registered.
        """
        sql = (
            f"SELECT state, saga, version FROM sagas WHERE ended_at IS NULL "
            f"AND shard {self.db.is_in('int')} ORDER BY deadline IS NULL, deadline, no"
        )
        return map(self._progress, self.db.rows(sql, (self.db.many(shards, int),)))

    def all_of(self, entity: type[Entity]) -> Iterator[Entity]:
        """Every entity of a class."""
        rows = self._rows[entity]
        return map(rows.entity, self.db.rows(rows.select, ()))

    def owed(
        self, entity: type[Entity], shards: Sequence[int], after: int, limit: int
    ) -> list[tuple[int, str]]:
        """The orders of these shards whose entity owes an external call, with their numbers.

        The oldest first, from the one behind the number `after` on, at most `limit`.
        """
        table, mark = self._rows[entity].table.name, self.db.placeholder
        # By the index of those that owe something: there may be a million that do not.
        sql = (
            f"SELECT no, order_id FROM {table} e WHERE status = '{entity.pending}' "
            f"AND no > {mark} AND EXISTS (SELECT 1 FROM order_keys k WHERE k.no = e.no "
            f"AND k.shard {self.db.is_in('int')}) ORDER BY no LIMIT {mark}"
        )
        return list(self.db.rows(sql, (after, self.db.many(shards, int), limit)))

    def claim(self, topics: Sequence[str], shards: Sequence[int]) -> Claim:
        """Take these shards: from now on, nobody who claimed one before can commit for it.

        That holds for a batch of timers too, which moves no offset. The number that grows with
        each claim is a fencing token (Kleppmann, "How to do distributed locking", 2016).
        """
        self.db.drop_ids()
        with self.db.transaction() as db:
            db.executemany(
                self._sql["first_offset"],
                [(topic, s, self.consumer, 0) for topic in (EPOCHS, *topics) for s in shards],
            )
            ours = self.db.many(shards, int)
            db.execute(self._sql["claim"], (EPOCHS, self.consumer, ours))
            names = self.db.many((EPOCHS, *topics), str)
            found = self.db.beside(db)
            found.execute(self._sql["positions"], (self.consumer, ours, names))
            positions = {(topic, partition): at for topic, partition, at in found.fetchall()}
        self._note_highest()
        epochs = {shard: positions.pop((EPOCHS, shard)) for shard in shards}
        return Claim(epochs, positions)

    def claim_for_roles(self, offsets: RoleOffsets, shards: Sequence[int]) -> RoleClaim:
        """As `claim`, for workers of which each runs some of the roles."""
        self.db.drop_ids()
        claim = offsets.claim(shards)
        self._note_highest()
        return claim

    def _note_highest(self) -> None:
        """Ask each table for its highest number, after a claim: what is higher is not stored."""
        numbered = [kind.table for kind, rows in self._rows.items() if rows.numbered]
        for table in ("sagas", "pruned", *numbered):
            ((self._highest[table],),) = self.db.rows(
                f"SELECT coalesce(max(no), 0) FROM {table}", ()
            )
        self._highest["pruned"] = max(self._highest.values())

    def read_log(
        self, after: int, limit: int, shards: Sequence[int] | None = None, queue: str = LOG
    ) -> list[Record]:
        """The next records in a queue of the embedded log (see `queues`), in their order.

        Those of `shards` only, if they are given.
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

    def unpublished(self, shards: Sequence[int], *consumers: str) -> list[tuple[int, Outgoing]]:
        """What was committed for these shards and may not be published, by id.

        Without `consumers`, what an earlier worker of our own group has left.
        """
        names = list(consumers or (self.consumer,))
        if names == [SUBMITTED]:
            return self.submitted(shards, ALL)
        values = (self.db.many(names, str), self.db.many(shards, int))
        return _outgoing(self.db.rows(self._sql["unpublished"], values))

    def submitted(self, shards: Sequence[int], limit: int) -> list[tuple[int, Outgoing]]:
        """Of what submitters committed for these shards and may not have published, the oldest."""
        values = (self.db.many(shards, int), limit)
        return _outgoing(self.db.rows(self._sql["submitted"], values))

    # --- the one transaction ------------------------------------------------------------------

    def commit(self, changes: Changes, now: float) -> list[int]:
        """Store all of it or nothing; answers the ids of the outbox rows, in their order."""
        try:
            with self.db.transaction() as db:
                return self._store(db, changes, now)
        except BaseException:
            self._numbers.clear()  # those given within the transaction were taken back with it
            raise

    def _store(self, db: Any, changes: Changes, now: float) -> list[int]:
        # Asked first, so that others wait for us; answered last, so that we need not wait.
        still_ours = self._check_epochs(db, changes.epochs)
        moved = self._move_offsets(db, changes)
        still_there = self._write_entities(db, changes)
        if changes.appended:
            append(self.db, db, changes.appended, now)
        if changes.left:
            append_for_roles(self.db, db, changes.left, now)
        if changes.deferred or changes.redelivered:
            self.deferred.store(db, changes.deferred, changes.redelivered, now)
        if changes.published:
            self.clean_outbox(db, changes.published)
        if changes.refused:
            self._refill_outbox(db, changes.refused)
        ids = self.fill_outbox(db, changes.outbox) if changes.outbox else []
        still_ours()
        moved()
        still_there()
        return ids

    def _check_epochs(self, db: Any, epochs: dict[int, int]) -> Callable[[], None]:
        if not epochs:
            return _nothing
        cursor = self.db.beside(db)
        cursor.execute(self._sql["epochs"], (EPOCHS, self.consumer, self.db.many([*epochs], int)))

        def check() -> None:
            found = dict(cursor.fetchall())
            for shard, epoch in epochs.items():
                if found.get(shard) != epoch:
                    lost = "was claimed by another worker" if shard in found else "has no epoch"
                    raise LostShardError(f"shard {shard} {lost}")

        return check

    def _move_offsets(self, db: Any, changes: Changes) -> Callable[[], None]:
        consumer = self.consumer
        moves = [
            (topic, partition, consumer, before, after)
            for (topic, partition), (before, after) in changes.offsets.items()
            if before != after
        ]
        moves += changes.moves
        if not moves:
            return _nothing
        moved = self.db.move_offsets(self.db.beside(db), moves)

        def check() -> None:
            if moved() != len(moves):
                raise LostShardError(
                    f"an offset of partitions {sorted({move[1] for move in moves})} was moved by "
                    "another worker"
                )

        return check

    def _check_pruned(self, db: Any, order_ids: Iterable[str]) -> Callable[[], None]:
        """Nobody may have pruned an order after it was read for this batch."""
        numbers = self._numbers
        old = {numbers[each]: each for each in order_ids if self.may_be_pruned(each)}
        if not old:
            return _nothing
        cursor = self.db.beside(db)
        cursor.execute(self._sql["pruned"], (self.db.many([*old], int),))

        def check() -> None:
            for (no,) in cursor.fetchall():
                raise LostShardError(f"order {old[no]} was pruned while it was handled")

        return check

    def _write_entities(self, db: Any, changes: Changes) -> Callable[[], None]:
        from order_sagas.bridges.records.partitioner import partition_for

        entities, sagas = list(changes.entities), list(changes.sagas)
        # In the order of their first mention, so that a run repeated numbers them the same.
        # `hasattr` says so.
        keyed = dict.fromkeys([e.order_id for e in entities if hasattr(e, "order_id")])  # pyright: ignore[reportAttributeAccessIssue]
        keyed.update(dict.fromkeys([saga.order_id for saga in sagas]))
        shards = {key: partition_for(key.encode(), self.partitions) for key in keyed}
        new = [(key, shards[key]) for key in keyed if key not in self._numbers]
        if new:
            self.db.insert(db, self._sql["new_key"], new)
            found = self.db.beside(db)
            found.execute(self._sql["numbers"], (self.db.many([key for key, _ in new], str),))
            self._numbers.update(found.fetchall())
        still_there = self._check_pruned(db, keyed)
        numbers = self._numbers
        by_class: dict[type[Entity], list[Row]] = {}
        for entity in entities:
            rows = self._rows[type(entity)]
            row = rows.row(entity)
            if rows.numbered:
                row = (numbers[entity.order_id], *row)  # type: ignore[attr-defined]
            by_class.setdefault(type(entity), []).append(row)
        for kind, all_rows in by_class.items():
            self.db.insert(db, self._rows[kind].upsert, all_rows)
            if self._rows[kind].numbered:
                self._stored(kind.table, all_rows)
        if sagas:
            saga_rows = [
                self._saga_rows.row(numbers[s.order_id], shards[s.order_id], s) for s in sagas
            ]
            self.db.insert(db, self._saga_rows.upsert, saga_rows)
            self._stored("sagas", saga_rows)
        return still_there

    def _stored(self, table: str, rows: list[Row]) -> None:
        if table in self._highest:
            highest = max([row[0] for row in rows])
            self._highest[table] = max(self._highest[table], highest)
            self._highest["pruned"] = max(self._highest["pruned"], highest)

    def clean_outbox(self, db: Any, ids: Sequence[int]) -> None:
        """Within a transaction: Kafka has these."""
        db.execute(self._sql["clean_outbox"], (self.db.many(list(ids), int),))

    def fill_outbox(self, db: Any, outbox: list[tuple[int, Outgoing]]) -> list[int]:
        """Within a transaction: records for Kafka, each with the shard that caused it."""
        ids = self.db.take_ids(db, "outbox", len(outbox))
        self.db.insert(
            db,
            self._sql["fill_outbox"],
            [
                (i, self.consumer, shard, o.topic, o.partition, o.key, o.value, pack(o.headers))
                for i, (shard, o) in zip(ids, outbox, strict=True)
            ],
        )
        return ids

    def _refill_outbox(self, db: Any, refused: Sequence[tuple[int, Outgoing]]) -> None:
        """Within a transaction: put dead letters into the outbox, in the place of their records.

        The id stays, and with it the shard whose owner publishes the row.
        """
        db.executemany(
            self._sql["refill_outbox"],
            [
                (o.topic, o.partition, o.key, o.value, pack(o.headers), number)
                for number, o in refused
            ],
        )

    # --- the schema ---------------------------------------------------------------------------

    def _check_partitions(self) -> None:
        """Nothing is written unless the database was just made."""
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


def _outgoing(rows: Iterable[Row]) -> list[tuple[int, Outgoing]]:
    return [
        (number, Outgoing(topic, partition, key, value, unpack(headers)))
        for number, topic, partition, key, value, headers in rows
    ]


def _nothing() -> None:
    return None


def _statements(mark: str, is_in: Any, lock: str) -> dict[str, str]:
    # The number is written out, or no partial index would serve.
    read_log = (
        "SELECT position, topic, partition, key, value, headers, appended_at FROM log "
        f"WHERE {{}}position > {mark} AND handled = {{}}{{}} ORDER BY position LIMIT {mark}"
    )
    of_role = f"role = {mark} AND "
    of_shards = f" AND partition {is_in('int')}"
    return {
        "numbers": f"SELECT order_id, no FROM order_keys WHERE order_id {is_in('text')}",
        "new_key": (
            f"INSERT INTO order_keys (order_id, shard) VALUES ({mark}, {mark}) "
            "ON CONFLICT (order_id) DO NOTHING"
        ),
        "pruned": f"SELECT no FROM pruned WHERE no {is_in('bigint')}",
        "claim": (
            f"UPDATE offsets SET position = position + 1 WHERE topic = {mark} "
            f"AND consumer = {mark} AND partition {is_in('int')}"
        ),
        "positions": (
            f"SELECT topic, partition, position FROM offsets WHERE consumer = {mark} "
            f"AND partition {is_in('int')} AND topic {is_in('text')}"
        ),
        "epochs": (
            f"SELECT partition, position FROM offsets WHERE topic = {mark} "
            f"AND consumer = {mark} AND partition {is_in('int')}{lock}"
        ),
        "first_offset": (
            "INSERT INTO offsets (topic, partition, consumer, position) "
            f"VALUES ({mark}, {mark}, {mark}, {mark}) ON CONFLICT DO NOTHING"
        ),
        f"read {LOG}": read_log.format("", TO_READ, ""),
        f"read {LOG} of": read_log.format("", TO_READ, of_shards),
        f"read {LEFT}": read_log.format("", LEFT_FOR_OTHERS, ""),
        f"read {LEFT} of": read_log.format("", LEFT_FOR_OTHERS, of_shards),
        f"read {OF_ROLES}": read_log.format(of_role, LEFT_FOR_ROLE, ""),
        f"read {OF_ROLES} of": read_log.format(of_role, LEFT_FOR_ROLE, of_shards),
        "clean_outbox": f"DELETE FROM outbox WHERE id {is_in('bigint')}",
        "fill_outbox": (
            "INSERT INTO outbox (id, consumer, shard, topic, partition, key, value, headers) "
            f"VALUES ({', '.join([mark] * 8)})"
        ),
        "refill_outbox": (
            f"UPDATE outbox SET topic = {mark}, partition = {mark}, key = {mark}, value = {mark}, "
            f"headers = {mark} WHERE id = {mark}"
        ),
        "unpublished": (
            "SELECT id, topic, partition, key, value, headers FROM outbox "
            f"WHERE consumer {is_in('text')} AND shard {is_in('int')} ORDER BY id"
        ),
        # The name is written out, or no partial index would serve.
        "submitted": (
            "SELECT id, topic, partition, key, value, headers FROM outbox "
            f"WHERE consumer = '{SUBMITTED}' AND shard {is_in('int')} ORDER BY id LIMIT {mark}"
        ),
        "partitions": "SELECT value FROM meta WHERE name = 'partitions'",
        "set_partitions": (
            f"INSERT INTO meta (name, value) VALUES ('partitions', {mark}) ON CONFLICT DO NOTHING"
        ),
    }
