"""Moves sagas in flight to another version of their definition, in one transaction.

Nothing may run on the database meanwhile. On SQLite the caller holds the lock of the database; on
PostgreSQL, the epoch of every shard grows in the same transaction, so that a worker which still
runs commits nothing that it has read before: its batch is rolled back and read again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import structlog

from order_sagas.actors.clock import iso
from order_sagas.actors.errors import CannotMoveError
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.shape import shape_of
from order_sagas.actors.sagas.state import SagaState, decode_plain
from order_sagas.actors.sagas.step_mapping import StepMapping
from order_sagas.actors.sagas.version_move import MOVED, VersionMove
from order_sagas.actors.words import many
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.operations.errors import NoSuchSagaError, NoSuchVersionError
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.operator_actions import DEFINITION
from order_sagas.bridges.storage.role_offsets import EPOCHS
from order_sagas.bridges.storage.rows import SagaRows
from order_sagas.bridges.storage.saga_versions import check_definitions, stored_shape

log = structlog.get_logger("sagas")

CHUNK = 1000
"""Sagas that are in memory at once."""
EXAMPLES = 5
"""Maximum number of orders that are named for each reason."""


@attrs.define
class Moves:
    """What was moved, or would be, and what was not."""

    moved: Counter[int] = attrs.field(factory=Counter)
    """The number of sagas by the version that they had."""
    refused: dict[tuple[int, str], list[str]] = attrs.field(factory=dict)
    """The first EXAMPLES orders by version and reason."""
    counts: Counter[tuple[int, str]] = attrs.field(factory=Counter)
    """The number of sagas by version and reason, of those in `refused`."""
    latest: list[tuple[int, SagaState]] = attrs.field(factory=list)
    """The sagas that were moved last, at most CHUNK, each with the version that it had."""

    def refuse(self, order_id: str, version: int, reason: str) -> None:
        """Note a saga that cannot be moved."""
        self.counts[version, reason] += 1
        examples = self.refused.setdefault((version, reason), [])
        if len(examples) < EXAMPLES:
            examples.append(order_id)


class VersionMoves:
    """Moves the sagas in flight of one definition to one of its versions.

    The mapping is declared in `migrates` of the newer definition of the two; backwards it is
    reversed. Raises NoSuchSagaError and NoSuchVersionError if the definition or the version is not
    registered, ChangedSagaError if a definition has changed without a new version, StoreError if
    the database cannot be used.
    """

    def __init__(self, db: Connection, registry: Registry, saga: str, to: int) -> None:
        if saga not in registry.newest:
            known = ", ".join(sorted(registry.newest)) or "none"
            raise NoSuchSagaError(f"no saga is named {saga!r}; registered: {known}")
        self._versions = {each.version: each for each in registry if each.name == saga}
        if to not in self._versions:
            known = ", ".join(map(str, sorted(self._versions)))
            raise NoSuchVersionError(f"saga {saga!r} has no version {to}; registered: {known}")
        check_definitions(db, registry)
        self._db = db
        self._target: Saga[Any] = self._versions[to]
        self._rows = SagaRows(registry, db.placeholder)
        self._moves: dict[int, VersionMove] = {}

    def plan(self, by: str, now: float) -> Moves:
        """What `run` would do. Changes nothing. Raises as `run` does."""
        moves = Moves()
        for _ in self._moved(self._chunks(self._db.rows), moves, by, now):
            pass
        return moves

    def run(self, by: str, now: float, why: str = "") -> Moves:
        """Move every saga in flight that can be moved; the others stay as they are.

        `by` is who asked for it and `why` the reason, for the histories and the log of operators'
        actions; `now` is in seconds since the Unix epoch. Raises
        NoSuchVersionError if no mapping is declared for a version that sagas in flight have, and
        DefinitionError if a mapping leaves a step out; nothing is moved then.
        """
        moves = Moves()
        mark = self._db.placeholder
        with self._db.transaction() as cursor:
            cursor.execute(
                f"UPDATE offsets SET position = position + 1 WHERE topic = {mark}", (EPOCHS,)
            )

            def ask(sql: str, parameters: Any) -> Iterable[Any]:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())

            for rows in self._moved(self._chunks(ask), moves, by, now):
                self._db.insert(cursor, self._rows.upsert, rows)
                # As workers do, before the commit: the next line of a saga that is not moved after
                # all has the same number, and replaces this one in its trace.
                for version, saga in moves.latest:
                    _log(version, saga, by, now)
            moved, left = moves.moved.total(), moves.counts.total()
            if moved or left:
                note_effects(
                    self._db, cursor, Origin(), kind=DEFINITION, targets=[self._target.name],
                    action="migrate", step=f"to version {self._target.version}", by=by, why=why,
                    detail=f"{many(moved, 'saga')} moved, {left:,} left", now=now,
                )  # fmt: skip
        return moves

    def _chunks(self, ask: Callable[[str, Any], Iterable[Any]]) -> Iterator[list[Any]]:
        """Yield the sagas in flight of other versions: number, shard and state of each."""
        mark = self._db.placeholder
        query = (
            f"SELECT no, shard, state FROM sagas WHERE saga = {mark} AND version <> {mark} "
            f"AND ended_at IS NULL AND no > {mark} ORDER BY no LIMIT {CHUNK}"
        )
        after = -1
        while rows := list(ask(query, (self._target.name, self._target.version, after))):
            yield rows
            after = rows[-1][0]

    def _moved(
        self, chunks: Iterable[list[Any]], moves: Moves, by: str, now: float
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of the sagas of each chunk that can be moved."""
        for chunk in chunks:
            rows = []
            moves.latest = []
            for no, shard, raw in chunk:
                saga = decode_plain(raw)
                try:
                    after: SagaState = self._move(saga.version).moved(saga, by, now)
                except CannotMoveError as error:
                    moves.refuse(saga.order_id, saga.version, str(error))
                    continue
                moves.moved[saga.version] += 1
                moves.latest.append((saga.version, after))
                rows.append(self._rows.row(no, shard, after))
            if rows:
                yield rows

    def _move(self, version: int) -> VersionMove:
        if version not in self._moves:
            target, source = self._target, self._versions.get(version)
            shape = shape_of(source) if source else stored_shape(self._db, target.name, version)
            self._moves[version] = VersionMove(shape, version, target, self._mapping(version))
        return self._moves[version]

    def _mapping(self, version: int) -> StepMapping:
        target, source = self._target, self._versions.get(version)
        if version in target.migrates:
            return target.migrates[version]
        if source and target.version in source.migrates:
            return source.migrates[target.version].backwards()
        raise NoSuchVersionError(
            f"saga {target.name!r}: sagas in flight have version {version}, and no mapping between "
            f"it and version {target.version} is declared in `migrates` of a registered definition"
        )


def _log(version: int, saga: SagaState, by: str, now: float) -> None:
    """Write the line of a move, which traces are built from."""
    log.info(
        MOVED,
        timestamp=iso(now),
        saga=saga.saga,
        saga_id=saga.saga_id,
        order_id=saga.order_id,
        seq=saga.seq,
        version=saga.version,
        before=version,
        by=by,
    )
