"""The archive of pruned orders: one JSON line for each order, with all that was stored of it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.sagas.places import names_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import Phase, SagaState, decode_plain
from order_sagas.bridges.storage.order_retention import kinds_of
from order_sagas.bridges.storage.store import Store

_encode = msgspec.json.Encoder().encode


class ArchiveFile:
    """Appends orders to a file. When `keep` returns, they are on the disk.

    If the process dies before the deletion is committed, the orders remain in the database, and the
    next run writes them again. If there are two lines for one order, the later one counts.
    """

    def __init__(self, path: Path, store: Store, registry: Registry) -> None:
        """Create the file if it does not exist; raises OSError if that fails."""
        self._store = store
        self._registry = registry
        self._file = path.open("ab")
        self._sync_directory(path)

    def __enter__(self) -> "ArchiveFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def keep(self, numbers: Sequence[int]) -> None:
        """Write the orders with these numbers; raises OSError if that fails."""
        orders = self._read(numbers)
        self._file.write(b"".join(_encode(each) + b"\n" for each in orders))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        db = self._store.db
        which = (db.many(numbers, int),)
        no_in = f"no {db.is_in('bigint')}"
        found: dict[int, dict[str, Any]] = {
            no: {"order_id": order_id}
            for no, order_id in db.rows(f"SELECT no, order_id FROM order_keys WHERE {no_in}", which)
        }
        by_id = {each["order_id"]: each for each in found.values()}
        for kind in kinds_of(self._store):
            for order_id, entity in self._store.load(kind, numbers).items():
                by_id[order_id][kind.__name__.lower()] = msgspec.to_builtins(entity)
        columns = "no, saga, version, status, code, reason, started_at, ended_at, state"
        names = columns.split(", ")[1:-1]
        sql = f"SELECT {columns} FROM sagas WHERE {no_in} ORDER BY no, started_at"
        for no, *row, state in db.rows(sql, which):
            saga: dict[str, Any] = dict(zip(names, row, strict=True))
            sagas = found[no].setdefault("sagas", [])
            sagas.append({**saga, **self._details(decode_plain(state))})
        return list(by_id.values())

    def _details(self, progress: SagaState) -> dict[str, Any]:
        try:
            steps = names_of(self._registry.get(progress.saga, progress.version), progress)
        except UnknownSagaError:
            steps = [f"step {number}" for number in range(1, len(progress.steps) + 1)]
        return {
            "seq": progress.seq,
            "failed_step": progress.failed_step,
            "start": progress.start,
            "steps": [
                {"step": name, "phase": Phase(state.phase).name, "attempt": state.attempt,
                 "since": state.since}
                for name, state in zip(steps, progress.steps, strict=True)
            ],
            "history": [msgspec.structs.asdict(entry) for entry in progress.history],
        }  # fmt: skip

    @staticmethod
    def _sync_directory(path: Path) -> None:
        """Write the directory entry of a new file to the disk."""
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
