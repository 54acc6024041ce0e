"""The audit: rules that the stored books must keep, for the command, the harness and the tests.

    report = examine(ledger_of(connection), registry, ended=True)

A check is a rule in a sentence, and the SQL that finds its violations. Checks of kind `ALWAYS` hold
after every commit. Those of kind `ENDED` hold only when no saga is in flight and no record waits.
"""

from order_sagas.bridges.audit.audit import Finding, Found, Report, Violation, examine, violations
from order_sagas.bridges.audit.rules import ALWAYS, BEGUN, ENDED, IN_REACH, Check, checks_for
from order_sagas.bridges.audit.sql_dialects import Ledger, ledger_of

__all__ = [
    "ALWAYS",
    "BEGUN",
    "ENDED",
    "IN_REACH",
    "Check",
    "Finding",
    "Found",
    "Ledger",
    "Report",
    "Violation",
    "checks_for",
    "examine",
    "ledger_of",
    "violations",
]
