"""`order-sagas schedules`: list the schedules of the app."""

import time
from typing import Any

import click

from order_sagas.bridges.storage import queries
from order_sagas.system.app import app_of
from order_sagas.system.cli.output import console, echo, moment, plain_table, print_json
from order_sagas.system.settings import Settings, settings_options


@click.command("schedules")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times are ISO 8601.")
@settings_options("database", "app")
def schedules_command(as_json: bool, settings: Settings) -> None:
    """List the schedules of the app, with the next due time and what was started last.

    Due times count from the first `start` with the schedule; before, it has no next due time.
    """
    with queries.reading(settings.database) as db:
        settled = queries.schedules(db)
    now = time.time()
    rows: list[dict[str, Any]] = []
    for schedule in app_of(settings).schedules:
        last = settled.get(schedule.name)
        due = schedule.next(last["due"]) if last else None
        rows.append(
            {
                "name": schedule.name,
                "cron": schedule.cron,
                "timezone": schedule.timezone,
                "catch_up": schedule.catch_up,
                "next": due.at.timestamp() if due else None,
                "late": bool(due and due.at.timestamp() < now),
                "last_order": last["order_id"] if last else "",
                "last_started": last["started_at"] if last else None,
            }
        )
    if as_json:
        print_json(rows)
        return
    if not rows:
        echo("The app has no schedules.")
        return
    table = plain_table("name", "cron", "zone", "catch up", "next (UTC)", "last (UTC)", "order")
    for row in rows:
        late = ", late" if row["late"] else ""
        table.add_row(
            row["name"], row["cron"], row["timezone"], row["catch_up"],
            f"{moment(row['next'])}{late}", moment(row["last_started"]), row["last_order"],
        )  # fmt: skip
    console().print(table)
