"""The results of the last audits, for everybody who reads the database."""

from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.schema import audits

KEPT = 20
"""Number of results that are kept."""
MOST_SUBJECTS = 20
"""Maximum number of violations of a check that are kept; all of them are counted."""


@attrs.frozen(kw_only=True)
class AuditResult:
    """The result of an audit. `at` is in seconds since the Unix epoch, `took` in seconds.

    `checks` are plain data: `name`, `rule`, `looked_at`, `things`, the number of `violations`, and
    the first `found` with `subject` and `found`.
    """

    at: float
    by: str
    took: float
    ok: bool
    in_flight: int
    needing_attention: int
    records_waiting: int
    checks: list[dict[str, Any]]


def store_audit(db: Connection, result: AuditResult) -> None:
    """Store a result, and delete those that are kept no longer. Raises StoreError."""
    fields = attrs.asdict(result)
    row = [fields.pop(name) for name in ("at", "by", "took")]
    row += [int(fields.pop("ok")), msgspec.json.encode(fields).decode()]
    mark = db.placeholder
    with db.transaction() as cursor:
        cursor.execute(
            f'INSERT INTO audits (at, "by", took, ok, report) VALUES ({", ".join([mark] * 5)})',
            row,
        )
        cursor.execute(
            "DELETE FROM audits WHERE id NOT IN "
            f"(SELECT id FROM audits ORDER BY id DESC LIMIT {KEPT})",
            (),
        )


def last_audit(db: sa.Connection) -> AuditResult | None:
    """Return the newest result, or None."""
    query = sa.select(audits).order_by(audits.c.id.desc()).limit(1)
    row = db.execute(query).mappings().first()
    if row is None:
        return None
    return AuditResult(
        at=row["at"],
        by=row["by"],
        took=row["took"],
        ok=bool(row["ok"]),
        **msgspec.json.decode(row["report"]),
    )
