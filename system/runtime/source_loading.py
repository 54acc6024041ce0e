"""Actor code that is loaded while the system runs (Thespian's `loadActorSource`)."""

import hashlib
import sys
from typing import Any

import structlog
from thespian.actors import LoadedSource, UnloadedSource, ValidatedSource, ValidateSource
from thespian.system.sourceLoader import SourceHashFinder

from order_sagas.system.runtime.cell import Cell, System

log = structlog.get_logger()


class Sources:
    """Loaded sources by hash, the actor that validates them, and the listeners to changes."""

    def __init__(self, base: System) -> None:
        self._base = base
        self._listeners: list[Cell] = []
        self.loaded = base.loaded_sources
        self.authority: Cell | None = None

    def load(self, file: Any) -> str:
        """Send a source to the authority for validation, if there is one, and return its hash.

        `file` is a path or an open binary file.
        """
        if hasattr(file, "read"):
            data = file.read()
            file.close()
        else:
            with open(file, "rb") as opened:
                data = opened.read()
        source_hash = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if self.authority is not None:
            self._base.root.actor_send(self.authority, ValidateSource(source_hash, data))
        return source_hash

    def validated(self, message: ValidatedSource) -> None:
        """Keep a source that the authority has approved, and notify the listeners."""
        if message.sourceZip is None:
            return
        try:
            finder = SourceHashFinder(message.sourceHash, lambda data: data, message.sourceZip)
            finder.getZipNames()
        except Exception as error:  # whatever a damaged archive makes zipfile raise
            log.error("source.corrupted", source_hash=message.sourceHash, error=str(error))
            return
        self.loaded[message.sourceHash] = message.sourceZip
        self._tell_listeners(LoadedSource(message.sourceHash, ""))

    def unload(self, source_hash: str) -> None:
        """Remove a source and the modules imported from it; an unknown hash is ignored."""
        if self.loaded.pop(source_hash, None) is not None:
            self._tell_listeners(UnloadedSource(source_hash, ""))
        for finder in list(sys.meta_path):
            if getattr(finder, "srcHash", None) == source_hash:
                root = finder.hashRoot()  # type: ignore[attr-defined]
                for name in [name for name in sys.modules if name and name.startswith(root)]:
                    del sys.modules[name]
                sys.meta_path.remove(finder)

    def notify(self, cell: Cell, enable: bool) -> None:
        """Start or stop notifying an actor of changes; at the start it gets all loaded sources."""
        self.forget(cell)
        cell.rare().notified = enable
        if enable:
            self._listeners.append(cell)
            for source_hash in self.loaded:
                self._base.root.actor_send(cell, LoadedSource(source_hash, ""))

    def forget(self, cell: Cell) -> None:
        """Remove an actor from the listeners."""
        self._listeners = [each for each in self._listeners if each is not cell]

    def _tell_listeners(self, message: Any) -> None:
        for cell in self._listeners:
            self._base.root.actor_send(cell, message)
