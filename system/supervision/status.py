"""How a run is doing, asked from another process."""

import json
from datetime import timedelta

from thespian.actors import ActorSystem

from system.settings import Settings
from system.supervision.messages import AskStatus, Status
from system.supervision.run import QUIET_LOGS, folder_of
from system.supervision.supervisor import NAME, Supervisor

ANSWER_WITHIN = timedelta(seconds=5)


def ask_status(settings: Settings) -> Status | None:
    """Every worker's state; None if no supervised run of these settings answers."""
    try:
        card = json.loads((folder_of(settings) / "supervisor.json").read_text())
        port = int(card["port"])
    except (OSError, ValueError, KeyError):
        return None
    actors = ActorSystem(
        "multiprocTCPBase", {"Admin Port": port}, logDefs=QUIET_LOGS, transientUnique=True
    )
    supervisor = actors.createActor(Supervisor, globalName=NAME)
    answer = actors.ask(supervisor, AskStatus(), ANSWER_WITHIN)
    return answer if isinstance(answer, Status) else None
