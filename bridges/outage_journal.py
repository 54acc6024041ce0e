"""What a worker notes of outages while they last, for the worker that is started after it.

An outage of Kafka is noted in the database when it begins. An outage of the database cannot be:
it is noted in a file, and in the database as soon as that is back. A worker that gains shards reads
both. So deadlines are put off by an outage that was going on when the worker was stopped or killed,
from its beginning until a worker has its shards again.

Only outages are noted. The time in which no worker ran, because all were stopped or killed while
Kafka and the database were there, counts as before: overdue deadlines pass at the next start. A
sign of life in the database, from which the next worker could conclude since when the former one
was gone, cannot tell the two apart, and would have to be written by an idle system too.

The folder has to outlive the process, as the folder of the logs does, or a restart during an outage
of the database counts as a restart without one. If the disk is away, only what is in memory counts.
"""

import contextlib
import os
import uuid
from pathlib import Path

import msgspec
import structlog

from order_sagas.actors.sagas.outages import Outages
from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.storage.outages import Outage, OutageTable

log = structlog.get_logger("bridge")

DATABASE = "database"
"""What is away when nothing can be stored."""


class Noted(msgspec.Struct, frozen=True):
    """The content of a file; `database` says to which one it belongs."""

    database: str
    id: str
    what: str
    since: float


_read = msgspec.json.Decoder(Noted).decode
_write = msgspec.json.Encoder().encode


class OutageJournal:
    """Keeps the outages of one worker. `folder` is None where no file may be written."""

    def __init__(self, table: OutageTable, database: str, folder: Path | None) -> None:
        """`database` is a name for it, which is written into files: give one without a password."""
        self._table = table
        self._database = database
        self._folder = folder
        self._ids: dict[str, str] = {}
        """Of those that last, by what is away."""
        self._unsaved: dict[str, Outage] = {}

    def began(self, what: str, since: float) -> None:
        """Note that it is away, in the database if that is there. Raises nothing."""
        outage = Outage(uuid.uuid4().hex, what, since)
        self._ids[what] = outage.id
        if what == DATABASE or not self._save(outage):
            self._leave_file(outage)

    def ended(self, what: str, since: float, until: float) -> None:
        """Note that it is back; what cannot be stored is stored with the next. Raises nothing."""
        number = self._ids.pop(what, None) or uuid.uuid4().hex
        self._unsaved[number] = Outage(number, what, since, until)
        for outage in list(self._unsaved.values()):
            if not self._save(outage):
                return
            del self._unsaved[outage.id]
            self._remove_file(outage.id)

    def recall(self, outages: Outages, now: float) -> None:
        """Add to `outages` what this worker and others noted. Kafka and the database are there.

        Raises StoreError where the database cannot be used.
        """
        files = self._files()
        others = [Outage(each.id, each.what, each.since, now) for each in files.values()]
        for outage in self._table.recall(others, now):
            outages.add(outage.since, now if outage.until is None else outage.until)
        for path in files:
            _remove(path)
        if files:
            log.info("outages.recalled", count=len(files))

    def _save(self, outage: Outage) -> bool:
        try:
            self._table.note(outage)
        except StoreError as error:
            log.warning("outage.not_stored", what=outage.what, error=str(error))
            return False
        return True

    # --- files --------------------------------------------------------------------------------

    def _path(self, number: str) -> Path | None:
        return self._folder and self._folder / f"outage-{number}.json"

    def _leave_file(self, outage: Outage) -> None:
        path = self._path(outage.id)
        if path is None:
            return
        noted = Noted(self._database, outage.id, outage.what, outage.since)
        unfinished = path.with_suffix(".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(_write(noted))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except OSError as error:
            log.warning("outage.not_noted", what=outage.what, error=str(error))

    def _remove_file(self, number: str) -> None:
        path = self._path(number)
        if path is not None:
            _remove(path)

    def _files(self) -> dict[Path, Noted]:
        """Those of this database; what cannot be read is left where it is."""
        found = {}
        for path in sorted(self._folder.glob("outage-*.json")) if self._folder else ():
            try:
                noted = _read(path.read_bytes())
            except (OSError, msgspec.DecodeError):
                continue
            if noted.database == self._database:
                found[path] = noted
        return found


def _remove(path: Path) -> None:
    # One that stays is read again, and then known by its id.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
