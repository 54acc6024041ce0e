"""Runs the checks, and reports their violations."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import attrs

from order_sagas.actors.sagas.definition import Saga
from order_sagas.bridges.audit.rules import ALWAYS, Check, checks_for
from order_sagas.bridges.audit.sql_dialects import Ledger
from order_sagas.bridges.storage.queries import IN_FLIGHT


@attrs.frozen
class Violation:
    """A violation of a rule: its subject (an order id, a SKU), and what was found."""

    check: str
    subject: str
    found: str

    def __str__(self) -> str:
        return f"{self.check}: {self.subject}: {self.found}"


@attrs.frozen
class Finding:
    """The result of one check, and the number of rows that it examined."""

    check: Check
    looked_at: int
    violations: tuple[Violation, ...]


@attrs.frozen
class Report:
    """The result of an audit."""

    findings: tuple[Finding, ...]
    in_flight: int
    """Number of sagas that have not ended."""
    needing_attention: int
    """Number of those that need attention."""

    @property
    def violations(self) -> list[Violation]:
        """All violations, check by check."""
        return [v for finding in self.findings for v in finding.violations]


def examine(
    ledger: Ledger,
    sagas: Iterable[Saga[Any]],
    *,
    ended: bool = False,
    elsewhere: Collection[str] = (),
) -> Report:
    """Run the checks on the books; `ended` includes those of kind `ENDED`.

    Leaves out checks of what the services of the participants `elsewhere` store: they run
    elsewhere, so the database does not have it.

    If the books may change meanwhile, the ledger must read them in one transaction, as of one
    moment.
    """
    findings = tuple(
        Finding(check, int(ledger.ask(check.of)[0][0]), _violations_of(ledger, check))
        for check in checks_for(sagas)
        if (ended or check.when == ALWAYS) and check.stored_by not in elsewhere
    )
    in_flight = dict(
        ledger.ask(
            f"SELECT status, count(*) FROM sagas WHERE status IN {IN_FLIGHT} GROUP BY status"
        )
    )
    return Report(findings, sum(in_flight.values()), int(in_flight.get("NEEDS_ATTENTION", 0)))


def violations(
    ledger: Ledger, sagas: Iterable[Saga[Any]], *, ended: bool = False
) -> Iterator[Violation]:
    """The violations that `examine` would find, without counting the rows examined."""
    for check in checks_for(sagas):
        if ended or check.when == ALWAYS:
            yield from _violations_of(ledger, check)


def _violations_of(ledger: Ledger, check: Check) -> tuple[Violation, ...]:
    return tuple(
        Violation(check.name, str(subject), str(found))
        for subject, found in ledger.ask(check.broken)
    )
