"""Run the checks, and say what was looked at and what was found."""

from collections.abc import Iterable, Iterator

import attrs

from order_sagas.actors.sagas.definition import Saga
from order_sagas.bridges.audit.rules import ALWAYS, Check, checks_for
from order_sagas.bridges.audit.sql_dialects import Ledger
from order_sagas.bridges.storage.queries import IN_FLIGHT


@attrs.frozen
class Violation:
    """One thing that is not as it must be: which (an order id, a SKU), and what was found."""

    check: str
    subject: str
    found: str

    def __str__(self) -> str:
        return f"{self.check}: {self.subject}: {self.found}"


@attrs.frozen
class Finding:
    """A check that was run, and how many things it looked at."""

    check: Check
    looked_at: int
    violations: tuple[Violation, ...]


@attrs.frozen
class Report:
    """What an examination of the books found."""

    findings: tuple[Finding, ...]
    in_flight: int
    """Sagas that have not ended."""
    needing_attention: int
    """Those of them that wait for a person."""

    @property
    def violations(self) -> list[Violation]:
        """All of them, check by check."""
        return [v for finding in self.findings for v in finding.violations]


def examine(ledger: Ledger, sagas: Iterable[Saga], *, ended: bool = False) -> Report:
    """Check the books; `ended` adds what is only true once everything has ended.

    Read them at one moment, in one transaction, if somebody may be writing.
    """
    findings = tuple(
        Finding(check, int(ledger.ask(check.of)[0][0]), _broken(ledger, check))
        for check in checks_for(sagas)
        if ended or check.when == ALWAYS
    )
    in_flight = dict(
        ledger.ask(
            f"SELECT status, count(*) FROM sagas WHERE status IN {IN_FLIGHT} GROUP BY status"
        )
    )
    return Report(findings, sum(in_flight.values()), int(in_flight.get("NEEDS_ATTENTION", 0)))


def violations(
    ledger: Ledger, sagas: Iterable[Saga], *, ended: bool = False
) -> Iterator[Violation]:
    """What `examine` finds broken, without counting what was looked at."""
    for check in checks_for(sagas):
        if ended or check.when == ALWAYS:
            yield from _broken(ledger, check)


def _broken(ledger: Ledger, check: Check) -> tuple[Violation, ...]:
    return tuple(
        Violation(check.name, str(subject), str(found))
        for subject, found in ledger.ask(check.broken)
    )
