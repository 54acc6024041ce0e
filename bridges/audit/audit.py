"""Runs the checks, and reports their violations."""

from collections.abc import Callable, Collection, Iterable, Iterator
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


@attrs.define
class Found:
    """The violations of one check: all are counted, and the first `keep` of them are kept.

    `each` is called with every violation, also with those that are not kept.
    """

    keep: int | None = None
    each: Callable[[Violation], object] | None = None
    first: list[Violation] = attrs.field(factory=list)
    count: int = 0

    def add(self, violations: Iterable[Violation]) -> None:
        """Count violations, and keep them until there are `keep`."""
        for violation in violations:
            self.count += 1
            if self.keep is None or self.count <= self.keep:
                self.first.append(violation)
            if self.each:
                self.each(violation)


@attrs.frozen
class Finding:
    """The result of one check, and the number of rows that it examined."""

    check: Check
    looked_at: int
    violations: tuple[Violation, ...]
    """Those that were kept; `count` is the number of all."""
    count: int

    @classmethod
    def of(cls, check: Check, looked_at: int, found: Found) -> "Finding":
        """Return the result of a finished check."""
        return cls(check, looked_at, tuple(found.first), found.count)


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
        """The violations that were kept, check by check."""
        return [v for finding in self.findings for v in finding.violations]

    @property
    def count(self) -> int:
        """Number of all violations."""
        return sum(finding.count for finding in self.findings)


def examine(
    ledger: Ledger,
    sagas: Iterable[Saga[Any]],
    *,
    ended: bool = False,
    elsewhere: Collection[str] = (),
    new: Callable[[], Found] = Found,
) -> Report:
    """Run the checks on the books; `ended` includes those of kind `ENDED`.

    Leaves out checks of what the services of the participants `elsewhere` store: they run
    elsewhere, so the database does not have it. `new` makes the `Found` that collects the
    violations of a check; by default it keeps all.

    If the books may change meanwhile, the ledger must read them in one transaction, as of one
    moment.
    """
    findings = []
    for check in checks_for(sagas):
        if (ended or check.when == ALWAYS) and check.stored_by not in elsewhere:
            found = new()
            found.add(_violations_of(ledger, check))
            findings.append(Finding.of(check, int(ledger.ask(check.of)[0][0]), found))
    in_flight = dict(
        ledger.ask(
            f"SELECT status, count(*) FROM sagas WHERE status IN {IN_FLIGHT} GROUP BY status"
        )
    )
    return Report(
        tuple(findings), sum(in_flight.values()), int(in_flight.get("NEEDS_ATTENTION", 0))
    )


def violations(
    ledger: Ledger, sagas: Iterable[Saga[Any]], *, ended: bool = False
) -> Iterator[Violation]:
    """The violations that `examine` would find, without counting the rows examined."""
    for check in checks_for(sagas):
        if ended or check.when == ALWAYS:
            yield from [*_violations_of(ledger, check)]


def _violations_of(ledger: Ledger, check: Check) -> Iterator[Violation]:
    for subject, found in ledger.rows(check.broken):
        yield Violation(check.name, str(subject), str(found))
