"""The journal of outages, which makes them known to the workers that are started later.

An outage of Kafka is stored in the database when it begins. An outage of the database cannot be: it
is stored in a file, and in the database as soon as that is available. A worker that gains shards
reads both. So if a worker is stopped or killed during an outage, deadlines are put off from the
beginning of the outage until a worker owns the shards again.

Only outages are stored. Time in which no worker ran, while Kafka and the database were available,
still counts: overdue deadlines pass at the next start. A heartbeat in the database could not tell
such a stop from a crash, and would have to be written by an idle system too.

The folder must outlive the process, like the folder of the log files; otherwise an outage of the
database is forgotten by a restart. If the folder cannot be written, only outages in memory count.
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

log = structlog.get_logger("processor")

DATABASE = "database"
"""Name of the outage during which nothing can be stored in the database."""


class StoredOutage(msgspec.Struct, frozen=True):
    """The content of a file. `database` names the database that it belongs to.

    `since` is in seconds since the Unix epoch.
    """

    database: str
    id: str
    what: str
    since: float


_read = msgspec.json.Decoder(StoredOutage).decode
_write = msgspec.json.Encoder().encode


class OutageJournal:
    """Stores the outages of one worker. `folder` is None if no files may be written."""

    def __init__(self, table: OutageTable, database: str, folder: Path | None) -> None:
        """`database` is a name for the database.

        It is written into files, so it must not contain a password.
        """
        self._table = table
        self._database = database
        self._folder = folder
        self._ids: dict[str, str] = {}
        """Ids of the current outages, by what is unavailable."""
        self._unsaved: dict[str, Outage] = {}

    def began(self, what: str, since: float) -> None:
        """Store the begin of an outage; in a file without the database. Raises nothing."""
        outage = Outage(uuid.uuid4().hex, what, since)
        self._ids[what] = outage.id
        if what == DATABASE or not self._save(outage):
            self._leave_file(outage)

    def ended(self, what: str, since: float, until: float) -> None:
        """Store the end of an outage; if that fails, retry with the next one. Raises nothing."""
        number = self._ids.pop(what, None) or uuid.uuid4().hex
        self._unsaved[number] = Outage(number, what, since, until)
        for outage in list(self._unsaved.values()):
            if not self._save(outage):
                return
            del self._unsaved[outage.id]
            self._remove_file(outage.id)

    def recall(self, outages: Outages, now: float) -> None:
        """Add the stored outages of this worker and of others to `outages`.

        To be called when Kafka and the database are available. `now` is in seconds since the Unix
        epoch. Raises StoreError if the database cannot be used.
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
        noted = StoredOutage(self._database, outage.id, outage.what, outage.since)
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

    def _files(self) -> dict[Path, StoredOutage]:
        """The files of this database. Files that cannot be read are ignored."""
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
    # A file that cannot be removed is read again, and recognised by its id.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
