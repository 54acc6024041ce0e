"""How runs are doing, asked from another process."""

from datetime import timedelta

from system.settings import Settings
from system.supervision.messages import AskStatus, Status
from system.supervision.runs import Run, runs_of

ANSWER_WITHIN = timedelta(seconds=5)


def ask_status(settings: Settings) -> dict[Run, Status]:
    """The state of every supervised run on this database that shares our log directory."""
    answers = {run: _ask(run) for run in runs_of(settings)}
    return {run: answer for run, answer in answers.items() if answer}


def _ask(run: Run) -> Status | None:
    # Here, because a supervisor takes as long to load as a system, and often there is none to ask.
    from thespian.actors import ActorSystem

    from system.supervision.run import QUIET_LOGS
    from system.supervision.supervisor import NAME, Supervisor

    actors = ActorSystem(
        "multiprocTCPBase", {"Admin Port": run.port}, logDefs=QUIET_LOGS, transientUnique=True
    )
    supervisor = actors.createActor(Supervisor, globalName=NAME)
    answer = actors.ask(supervisor, AskStatus(), ANSWER_WITHIN)
    return answer if isinstance(answer, Status) else None
