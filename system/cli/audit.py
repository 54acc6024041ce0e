"""`order-sagas audit`: check the consistency of the stored data, and print each check."""

import time
from contextlib import closing, nullcontext
from functools import partial

import attrs
import click
import sqlalchemy as sa
from rich.console import Console

from order_sagas.actors.clock import iso
from order_sagas.actors.words import many
from order_sagas.bridges.audit import (
    BEGUN,
    IN_REACH,
    Finding,
    Found,
    Report,
    Violation,
    examine,
    ledger_of,
)
from order_sagas.bridges.audit.app_rules import examine_rules
from order_sagas.bridges.errors import KafkaClientError, StoreError
from order_sagas.bridges.operations.far_deadlines import any_far, far_deadlines
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.audits import MOST_SUBJECTS, AuditResult, store_audit
from order_sagas.bridges.storage.connection import connect
from order_sagas.system.app import app_of
from order_sagas.system.app_checks import entities_of
from order_sagas.system.cli.operator_options import current_user
from order_sagas.system.cli.output import console, echo, plain_table, print_json
from order_sagas.system.log_client import log_access
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options

SHOWN = 20
"""Maximum number of violations of a check that are printed."""
LISTED = 1000
"""Maximum number of violations of a check in JSON; JSON Lines have all."""


@click.command("audit")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help=f"Print JSON, with the first {LISTED:,} violations of each check.",
)
@click.option(
    "--json-lines",
    "as_lines",
    is_flag=True,
    help="Print nothing but violations, all of them, each as a line of JSON.",
)
@click.option("--ended", is_flag=True, help="Also require that every order has ended.")
@click.option(
    "--by", default=current_user, help="The name that is kept with the result. Default: you."
)
@click.pass_context
@settings_options("app", "services", "database", "kafka", "partitions")
def audit_command(
    ctx: click.Context, as_json: bool, as_lines: bool, ended: bool, by: str, settings: Settings
) -> None:
    """Check the consistency of the stored data, whether a system is running or not.

    The rules of the app are checked too, on every order that is not pruned.

    Orders in flight are counted, and are a violation only with --ended. What services elsewhere
    store is not examined. The result is stored in the database, and shown on the page.

    Exit codes: 0 no violations, 1 violations.
    """
    if as_json and as_lines:
        raise click.UsageError("give --json or --json-lines, not both")
    app = app_of(settings)
    began = time.time()
    looking = nullcontext() if as_lines else Console(stderr=True).status("checking the stored data")
    new = partial(Found, keep=LISTED, each=_print_line if as_lines else None)
    with queries.reading(settings.database, limited=False) as db, looking:
        report = examine(ledger_of(db), app.sagas, ended=ended, elsewhere=app.elsewhere, new=new)
        in_reach = _in_reach(db, settings, new())
        own = examine_rules(db, app.rules, entities_of(app.services), app.registry, new)
        report = attrs.evolve(report, findings=(*report.findings, in_reach, *own))
        waiting = sum(queries.waiting(db).values())
    if settings.kafka:
        try:
            report = attrs.evolve(report, findings=(*report.findings, _begun(settings, new())))
        except KafkaClientError as error:
            echo(f"Warning: the rule {BEGUN.name!r} is not checked: {error}", err=True)
    broken = bool(report.count or (ended and waiting))
    _keep(settings, _result(report, waiting, began, by=by, ok=not broken))
    if as_json:
        print_json({"ok": not broken, "records_waiting": waiting, **_as_json(report)})
    elif not as_lines:
        _print(report, waiting)
    if ended and waiting and not as_json:
        text = f"{many(waiting, 'record')} not handled yet, and --ended allows none."
        echo(text, err=as_lines)
    ctx.exit(1 if broken else 0)


def _result(report: Report, waiting: int, began: float, *, by: str, ok: bool) -> AuditResult:
    return AuditResult(
        at=began,
        by=by,
        took=time.time() - began,
        ok=ok,
        in_flight=report.in_flight,
        needing_attention=report.needing_attention,
        records_waiting=waiting,
        checks=[
            {
                "name": each.check.name,
                "rule": each.check.rule,
                "looked_at": each.looked_at,
                "things": each.check.things,
                "violations": each.count,
                "found": [
                    {"subject": violation.subject, "found": violation.found}
                    for violation in each.violations[:MOST_SUBJECTS]
                ],
            }
            for each in report.findings
        ],
    )


def _keep(settings: Settings, result: AuditResult) -> None:
    """Store the result, if the database can be written."""
    try:
        with closing(connect(settings.database)) as db:
            store_audit(db, result)
    except StoreError as error:
        echo(f"Warning: the result is not kept: {error}", err=True)


def _in_reach(db: sa.Connection, settings: Settings, found: Found) -> Finding:
    """Check for deadlines that were set while the clock was ahead."""
    far = far_deadlines(db, registry_of(settings), time.time()) if any_far(db, time.time()) else []
    found.add(
        Violation(
            IN_REACH.name,
            each.order_id,
            f"it waits until {iso(each.deadline)}; see `deadlines repair`",
        )
        for each in far
    )
    return Finding.of(IN_REACH, queries.in_flight(db), found)


def _begun(settings: Settings, found: Found) -> Finding:
    """Check for orders that will never begin. Raises KafkaClientError if Kafka does not answer."""
    with queries.reading(settings.database) as db:
        accepted = sum(queries.order_counts(db).values())
    lost = log_access(settings).lost_orders()
    text = "Kafka has no record of its start; submit it again"
    found.add(Violation(BEGUN.name, each, text) for each in lost)
    return Finding.of(BEGUN, accepted, found)


def _print_line(violation: Violation) -> None:
    print_json(attrs.asdict(violation), indent=False)


def _as_json(report: Report) -> dict[str, object]:
    return {
        "in_flight": report.in_flight,
        "needing_attention": report.needing_attention,
        "checks": [
            {
                "name": finding.check.name,
                "rule": finding.check.rule,
                "looked_at": finding.looked_at,
                "things": finding.check.things,
                "violation_count": finding.count,
                "violations": [
                    {"subject": each.subject, "found": each.found} for each in finding.violations
                ],
            }
            for finding in report.findings
        ],
    }


def _print(report: Report, waiting: int) -> None:
    table = plain_table("check", "rule", "looked at", "", "violations", numbers=("looked at",))
    for finding in report.findings:
        count = finding.count
        shown = f"[bold red]{count:,}[/]" if count else "[green]none[/]"
        check = finding.check
        table.add_row(check.name, check.rule, f"{finding.looked_at:,}", check.things, shown)
    console(markup=True).print(table)
    for finding in report.findings:
        _print_violations(finding)
    found = many(report.count, "violation") if report.count else "no violations"
    echo(f"{many(len(report.findings), 'check')}, {found}.")
    if report.in_flight or waiting:
        echo(
            f"In flight: {many(report.in_flight, 'saga')}, {report.needing_attention:,} of them in "
            f"need of attention; {many(waiting, 'record')} not handled yet."
        )


def _print_violations(finding: Finding) -> None:
    for violation in finding.violations[:SHOWN]:
        echo(f"VIOLATION {violation}")
    more = finding.count - SHOWN
    if more > 0:
        echo(f"VIOLATION {finding.check.name}: {more:,} more; --json-lines prints all")
