"""Opens sessions of PostgreSQL with the settings that the system relies on.

A direct session is set up once. Behind a pooler that gives each transaction another session
(PgBouncer in transaction mode), settings of a session would be lost, or affect other clients: there
each transaction begins with its settings, and statements are not prepared.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from order_sagas.bridges.errors import StoreError, StoreUnavailableError

FROZEN_SECONDS = 20
"""Seconds after which the server aborts a transaction whose client is frozen, freeing its locks."""
CONNECTING: Mapping[str, Any] = {
    "connect_timeout": 10,  # seconds, for each host
    # A lost peer, such as a machine without power, is detected within 25 seconds: by probes while
    # waiting for a result, by the timeout while sent data is not acknowledged.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
    "application_name": "order-sagas",
}
"""Parameters of libpq for a connection, unless the URL has them."""
PREFERRED = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "default_transaction_isolation": "read committed",
    "extra_float_digits": "1",  # else times lose digits
}
"""Settings that the defaults of the server, the database and the role must not change. Options of
the URL do."""
_IDLE = "idle_in_transaction_session_timeout"
WITHOUT_LIMITS = {
    "synchronous_commit": "on",
    "statement_timeout": "0",
    "lock_timeout": "0",
    _IDLE: "0",
}
"""Settings of a transaction that may last as long as it takes, such as a migration."""
_OPTION = re.compile(r"(?:-c|--)([\w.-]+)=(.*)", re.DOTALL)
_ABOUT = (
    "SELECT pg_backend_pid(), pg_is_in_recovery(), current_setting('server_encoding'), "
    "current_setting('server_version_num')::int"
)


@attrs.frozen
class Session:
    """An open connection, and what each of its transactions has to begin with."""

    connection: "psycopg.Connection[Any]"
    begin: bytes = b""
    """A statement that sets what the system needs until the end of the transaction; empty if it is
    set for the whole session."""
    standby: bool = False
    """Whether the server is a standby, which only reads."""

    @property
    def pooled(self) -> bool:
        """Whether a pooler gives each transaction another session."""
        return bool(self.begin)


def parameters(url: sa.URL) -> dict[str, Any]:
    """Return the parameters of libpq for a URL.

    Of several hosts, the one that can be written is taken, unless `target_session_attrs` is given.
    """
    _, given = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    several = "," in str(given.get("host", ""))
    return {**CONNECTING, **({"target_session_attrs": "read-write"} if several else {}), **given}


def options_of(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the settings in `options` of a URL, and the other options there.

    `-csearch_path=shop -c work_mem=8MB -d 2` gives two settings, and `-d` and `2`.
    """
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|\S)+", text)]
    found, others = {}, []
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word += words.pop(0)
        if option := _OPTION.fullmatch(word):
            found[option[1].replace("-", "_")] = option[2]
        else:
            others.append(word)
    return found, others


def of_worker() -> dict[str, str]:
    """Return the settings of a worker's session: what is acknowledged survives a crash."""
    return {"synchronous_commit": "on", _IDLE: f"{FROZEN_SECONDS}s"}


def of_reader() -> dict[str, str]:
    """Return the settings of a session that reads, with no time limit between statements."""
    return {_IDLE: "0"}


def open_session(
    url: sa.URL,
    fixed: Mapping[str, str],
    kind: "type[psycopg.Connection[Any]]" = psycopg.Connection,
    **options: Any,
) -> Session:
    """Open a session, in which the settings of the URL, and ours, are in force.

    `fixed` are settings that the URL does not change; `kind` is the class of the connection, and
    `options` are those of its `connect`.
    Raises psycopg.Error, and StoreError if the database's encoding is not UTF-8.
    """
    given = parameters(url)
    try:
        connection = kind.connect(**{**given, **options, "autocommit": True})
    except psycopg.OperationalError as error:
        if "unsupported startup parameter" not in str(error):
            raise
        # PgBouncer refuses `options`; they are set in each transaction instead.
        without = {name: value for name, value in given.items() if name != "options"}
        connection = kind.connect(**{**without, **options, "autocommit": True})
    try:
        return _set_up(connection, given.get("options", ""), fixed)
    except BaseException:
        connection.close()
        raise


def _set_up(
    connection: "psycopg.Connection[Any]", options: str, fixed: Mapping[str, str]
) -> Session:
    pid, standby, encoding, version = connection.execute(_ABOUT, prepare=False).fetchone()  # type: ignore[misc]
    if encoding != "UTF8":
        raise StoreError(
            f"PostgreSQL: the database's encoding is {encoding}, and has to be UTF8, because "
            "ids may hold any letter: create it with ENCODING 'UTF8' TEMPLATE template0"
        )
    if version >= 170000 and _IDLE in fixed:
        # Within a pipeline, a session that waits for its client does not count as idle.
        fixed = {**fixed, "transaction_timeout": fixed[_IDLE]}
    given, others = options_of(options)
    preferred = {name: value for name, value in PREFERRED.items() if name not in given}
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    # A pooler cannot know the process that it will take, and gives the client another number.
    if pid != connection.info.backend_pid:
        if others:
            raise StoreError(
                f"{others[0]!r} in `options` of the database URL is not understood behind a "
                "pooler, where settings are made in each transaction: write -cNAME=VALUE"
            )
        connection.prepare_threshold = None
        return Session(connection, _setting({**given, **preferred, **fixed}, "true"), standby)
    connection.execute(_setting({**preferred, **fixed}, "false"), prepare=False)
    return Session(connection, b"", standby)


def _setting(settings: Mapping[str, str], local: str) -> bytes:
    """Return a statement that makes these settings, until the end of the transaction if `local`."""
    calls = [
        f"set_config({_literal(name)}, {_literal(value)}, {local})"
        for name, value in settings.items()
    ]
    return f"SELECT {', '.join(calls)}".encode()


def _literal(text: str) -> str:
    # Without `%`, which SQLAlchemy and psycopg may take for the begin of a parameter.
    text = text.replace("\\", "\\\\").replace("'", "''").replace("%", "\\x25")
    return f"E'{text}'"


def check_writable(session: Session) -> None:
    """Close a session on a standby, and raise StoreUnavailableError.

    After a failover the name may soon lead to the new primary: connect again until then.
    """
    if session.standby:
        session.connection.close()
        raise StoreUnavailableError("PostgreSQL: the server is a read-only standby")
