"""`order-sagas show`: print one order with its entities and sagas."""

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from order_sagas.actors.entities import ENTITIES
from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.sagas.places import states_by_name
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import HistoryEntry, Phase, SagaState, StepState, saga_id_of
from order_sagas.bridges.operations.stuck import causes_of
from order_sagas.bridges.storage import queries
from order_sagas.system.app import app_of
from order_sagas.system.app_checks import entities_of
from order_sagas.system.cli import complete
from order_sagas.system.cli.orders import JSON_HELP, amount
from order_sagas.system.cli.output import console, echo, moment, plain_table, print_json, styled
from order_sagas.system.cli.public_json import ByName
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options

_STUCK = (Phase.STUCK, Phase.UNDO_STUCK)


@click.command("show")
@click.argument("order_id", shell_complete=complete.order_ids)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@settings_options("app", "database")
def show_command(order_id: str, as_json: bool, settings: Settings) -> None:
    """Show ORDER_ID: the order, its payment, reservation and notification, and its saga's steps.

    Each step has its phase, current attempt and deadline. `trace` shows the causes too. Of an app
    of your own it shows what its services store of ORDER_ID, and the steps of its sagas. The id of
    a saga, NAME/ORDER_ID, stands for its order.
    """
    app = app_of(settings)
    kinds = [kind for kind in entities_of(app.services) if kind not in ENTITIES]
    with queries.reading(settings.database) as db:
        whole = queries.order(db, order_id)
        saga, _, of_saga = order_id.partition("/")
        if whole is None and of_saga and saga in app.registry.newest:
            order_id = of_saga
            whole = queries.order(db, order_id)
        early = queries.early_of(db, order_id)
        own = queries.entities_of_order(db, order_id, kinds) if whole and kinds else {}
        registry = registry_of(settings)
        sagas = [
            (row, state, _steps(state, registry), causes_of(db, row["no"], state, registry))
            for row, state in (whole["sagas"] if whole else ())
        ]
    if early and not as_json:
        for each in early:
            echo(f"Kept since {moment(each['at'])} UTC, came too early: {each['value']}")
    if early and whole is None:
        nothing: dict[str, Any] = {"sagas": []}
        whole = nothing
        if not as_json:
            return
    if whole is None:
        raise click.ClickException(f"there is no order {order_id}")
    if as_json:
        kept = {"early_replies": early} if early else {}
        entities = {"entities": ByName(own)} if kinds else {}
        rows = [_as_json(*saga) for saga in sagas]
        print_json({**whole, **kept, **entities, "sagas": rows})
        return
    out = console()
    if "pruned" in whole:
        gone = whole["pruned"]
        code = f", {gone['code']}" if gone["code"] else ""
        status = styled(gone["status"], f"{code} at {moment(gone['ended_at'])} UTC")
        out.print(Text.assemble((order_id, "bold"), "  ", status))
        out.print(
            f"It was pruned at {moment(gone['pruned_at'])} UTC. The file of `prune --archive` may "
            f"hold it, and the logs, if they are kept: {suggestion('trace', order_id)}"
        )
        return
    if app.takes_orders or whole["order"]:
        _print_entities(out, order_id, whole)
    else:
        out.print(Text(order_id, "bold"))
    _print_own(out, own)
    for saga_parts in sagas:
        _print_saga(out, *saga_parts)
    if any(row["status"] == "NEEDS_ATTENTION" for row, *_ in sagas):
        out.print(
            "\nIt needs attention: `retry` sends one stuck step again, `skip` takes it as done. "
            f"To retry all of them: {suggestion('resume', order_id)}",
            style="bold red",
            soft_wrap=True,
        )


def _steps(progress: SagaState, registry: Registry) -> list[tuple[str, StepState]]:
    """Pair each step with its name, or with its number if the definition is not registered."""
    try:
        saga = registry.get(progress.saga, progress.version)
    except UnknownSagaError:
        return [(f"step {number}", state) for number, state in enumerate(progress.steps, 1)]
    return states_by_name(saga, progress)


def _as_json(
    row: dict[str, Any],
    progress: SagaState,
    steps: list[tuple[str, StepState]],
    causes: dict[str, str],
) -> dict[str, Any]:
    return {
        "saga_id": saga_id_of(row["saga"], row["order_id"]),
        **{name: value for name, value in row.items() if name != "no"},
        "steps": [
            {
                "step": name,
                "phase": Phase(state.phase).name,
                "attempt": state.attempt,
                "since": state.since or None,
                "deadline": state.deadline or None,
                "cause": causes.get(name) if state.phase in _STUCK else None,
            }
            for name, state in steps
        ],
        "history": [msgspec.structs.asdict(entry) for entry in progress.history],
    }


def _print_entities(out: Console, order_id: str, whole: dict[str, Any]) -> None:
    order: dict[str, Any] = whole["order"] or {"status": "unknown here"}
    table = plain_table("", "status", "", "")
    table.show_header = False
    lines = ", ".join(f"{line['quantity']} {line['sku']}" for line in order.get("lines", ()))
    rows = [
        ("order", order["status"], amount(order), lines),
        *[
            (
                name,
                row["status"],
                _about(name, row),
                _trouble(row),
            )
            for name in ("payment", "reservation", "notification")
            if (row := whole[name])
        ],
    ]
    out.print(Text.assemble((order_id, "bold"), "  ", _customer(order)))
    for name, status, about, rest in rows:
        table.add_row(name, styled(status), about, rest)
    out.print(table)


def _print_own(out: Console, entities: dict[str, dict[str, Any]]) -> None:
    if not entities:
        return
    table = plain_table("", "status", "")
    table.show_header = False
    for name, fields in entities.items():
        about = ", ".join(
            f"{field}: {moment(value) + ' UTC' if field.endswith('_at') else value}"
            for field, value in fields.items()
            if field != "status" and value not in ("", "[]", None)
        )
        table.add_row(name, styled(str(fields.get("status", ""))), about)
    out.print(table)


def _trouble(part: dict[str, Any]) -> str:
    return str(part.get("reason") or part.get("error") or "")


def _about(name: str, part: dict[str, Any]) -> str:
    if name == "payment":
        return f"{amount(part)}, charged {part['charges']}x, refunded {part['refunds']}x"
    if name == "reservation":
        return f"warehouse {part['warehouse']}"
    return f"{part['about']}, by {part['channel']}, sent {part['sends']}x"


def _customer(order: dict[str, Any]) -> str:
    said = []
    if order.get("customer_id"):
        said.append(f"customer {order['customer_id']}")
    if order.get("warehouse"):
        said.append(f"warehouse {order['warehouse']}")
    if order.get("created_at"):
        said.append(f"created {moment(order['created_at'])} UTC")
    return " · ".join(said)


def _print_saga(
    out: Console,
    row: dict[str, Any],
    progress: SagaState,
    steps: list[tuple[str, StepState]],
    causes: dict[str, str],
) -> None:
    out.print()
    reason = f"  {row['reason']}" if row["reason"] else ""
    status = styled(row["status"], reason)
    out.print(Text.assemble((row["saga"], "bold"), f" v{row['version']}  ", status))
    for name, state in steps:
        if state.phase in _STUCK and name in causes:
            place = f"the undo of {name}" if state.phase == Phase.UNDO_STUCK else name
            out.print(Text(f"Stuck in {place}: {causes[name]}", "bold red"))
    table = plain_table("step", "phase", "attempt", "since (UTC)", "deadline (UTC)")
    for name, state in steps:
        attempt = str(state.attempt) if state.attempt else ""
        table.add_row(
            name, styled(Phase(state.phase).name), attempt, moment(state.since),
            moment(state.deadline),
        )  # fmt: skip
    out.print(table)
    out.print()
    history = plain_table("history", "what", "step", "attempt", "note")
    for entry in progress.history:
        history.add_row(
            f"{entry.at - progress.started_at:+.3f} s", entry.event.removeprefix("saga."),
            entry.step, str(entry.attempt) if entry.attempt else "",
            _note(entry, progress.started_at),
        )  # fmt: skip
    out.print(history)


def _note(entry: HistoryEntry, began: float) -> str:
    if entry.times == 1:
        return entry.note
    return f"{entry.note} ({entry.times:,} times, last at {entry.last - began:+.3f} s)"
