"""Bearer tokens and their roles. The token file holds SHA-256 hashes, never the tokens.

The file is TOML or JSON and maps a caller's name to a role and a hash:

    shop = { role = "operate", sha256 = "..." }
"""

import hashlib
import hmac
import json
import secrets
import tomllib
from enum import IntFlag
from pathlib import Path
from typing import Annotated, Literal

import attrs
import msgspec
import structlog

from order_sagas.bridges.http.config import HttpError

_log = structlog.get_logger(__name__)


class Role(IntFlag):
    """Permissions of a caller, and those of which an endpoint needs one."""

    NONE = 0
    SUBMIT = 1
    """Submit orders, and read the orders that were submitted under the same name."""
    READ = 2
    """Read everything."""
    ACT = 4
    """Act on sagas, dead letters and services."""
    OPERATE = SUBMIT | READ | ACT


@attrs.frozen
class Caller:
    """An identified caller. `name` is stored with orders and in histories, and has a rate limit."""

    name: str
    role: Role
    token_hash: str = attrs.field(default="", repr=False)


class TokenEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token in the file."""

    role: Literal["submit", "read", "operate"]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


TokenName = Annotated[str, msgspec.Meta(min_length=1)]
"""Name of a token. Orders that came without a token have the submitter ""."""


def new_token() -> str:
    """Return a new random token with 256 bits of entropy."""
    return f"os_{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> str:
    """Return the SHA-256 hash of a token in hexadecimal, as the token file stores it."""
    return hashlib.sha256(token.encode()).hexdigest()


Stamp = tuple[int, int, int, int]
"""Time of modification, size, inode and time of change of a file: another one if it is written."""


class Tokens:
    """The token file, read again when it changes, so a removed token is rejected immediately.

    Raises HttpError if the file cannot be read at construction. If a later read fails, the error
    is logged and the tokens read before stay valid.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._unreadable: Stamp | None = None
        """The file, or its absence, for which an error was logged last."""
        self._callers, self._seen = self._read()

    def caller_of(self, token: str) -> Caller | None:
        """Return the caller with this token, or None. Takes constant time for wrong tokens."""
        self._refresh()
        given = hash_of(token).encode()
        found = None
        for known, caller in self._callers:
            if hmac.compare_digest(known, given):
                found = caller
        return found

    def is_known(self, caller: Caller) -> bool:
        """Return whether the file still has this caller's token, with the same name and role."""
        self._refresh()
        return any(caller == known for _, known in self._callers)

    def _refresh(self) -> None:
        stamp: Stamp = (0, 0, 0, 0)
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                before = self._callers
                self._callers, self._seen = self._read()
                _log_changes(self._file, {*before}, {*self._callers})
            self._unreadable = None
        except (HttpError, OSError) as error:
            self._seen = (0, 0, 0, 0)
            if stamp != self._unreadable:  # once for each state of the file
                self._unreadable = stamp
                _log.error("http.tokens_unreadable", file=str(self._file), error=str(error))

    def _stamp(self) -> Stamp:
        found = self._file.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns

    def _read(self) -> tuple[list[tuple[bytes, Caller]], Stamp]:
        """Return the hashes with their callers, and the stamp of the file."""
        try:
            seen = self._stamp()
            text = self._file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HttpError(f"the token file can't be read: {error}") from None
        try:
            raw = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
            entries = msgspec.convert(raw, dict[TokenName, TokenEntry])
        except (ValueError, msgspec.ValidationError) as error:
            raise HttpError(f"{self._file} is not a valid token file: {error}") from None
        callers = [
            (entry.sha256.encode(), Caller(name, Role[entry.role.upper()], entry.sha256))
            for name, entry in entries.items()
        ]
        return callers, seen


def _log_changes(
    file: Path, before: set[tuple[bytes, Caller]], after: set[tuple[bytes, Caller]]
) -> None:
    """Log added and revoked tokens; a token with a new role or hash is both."""
    added = sorted(caller.name for _, caller in after - before)
    revoked = sorted(caller.name for _, caller in before - after)
    if added or revoked:
        _log.info("http.tokens_changed", file=str(file), added=added, revoked=revoked)
