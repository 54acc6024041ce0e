"""Adds effects outside the database to the log of operators' actions."""

from contextlib import closing

from order_sagas.actors.clock import SystemClock
from order_sagas.bridges.errors import NoDatabaseError, StoreError
from order_sagas.bridges.operations.action_log import note_effect
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.preparation import EMPTY, check_version, version_of
from order_sagas.bridges.storage.reading import check_exists
from order_sagas.system.cli.output import echo


def note_outside(
    database: str, kind: str, target: str, *, action: str, by: str, why: str, detail: str = ""
) -> None:
    """Store that an action was carried out, as `note_effect` does.

    Without a database there is no log yet, and nothing is stored. If storing fails, a warning is
    printed: the effects have happened nevertheless.
    """
    try:
        check_exists(database)
        with closing(connect(database)) as db:
            version = version_of(db)
            if version == EMPTY:
                return
            check_version(version)
            note_effect(
                db, kind, target, action=action, by=by, why=why, detail=detail,
                now=SystemClock().now(),
            )  # fmt: skip
    except NoDatabaseError:
        return
    except StoreError as error:
        echo(f"Warning: not in the log of operators' actions: {error}", err=True)
