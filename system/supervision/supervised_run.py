"""A run under a supervisor, as `order-sagas start` sees it."""

from collections.abc import Callable
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import attrs
from thespian.actors import ActorAddress, ActorSystem

from system.runtime import EventLoopBase
from system.settings import Settings
from system.supervision.control_socket import ControlSocket, bind_control_socket
from system.supervision.messages import AskMetrics, AskStatus, Status
from system.supervision.run_registry import own_run, remove_card, write_card
from system.supervision.supervisor import RunEnded, RunMetrics, StopRun, Supervise, Supervisor
from system.telemetry.setup import metrics_of_run

STOP_WITHIN = timedelta(seconds=70)
"""How long the children have to stop; each gives the batch in hand 60 seconds."""
BREAK_OFF_WITHIN = timedelta(seconds=15)
"""How long the other workers have to stop when one could not be kept running."""
ANSWER_WITHIN = timedelta(seconds=4)
"""How long the supervisor has to answer a question; it gives its workers two seconds."""


@attrs.frozen
class Outcome:
    """How a run ended; `failure` says why it could not go on, if it could not."""

    clean: bool
    failure: str = ""


def run_supervised(
    settings: Settings,
    workers: int,
    happened: SimpleQueue[str],
    started: Callable[[], None],
    stopping: Callable[[str], None],
    stop_within: timedelta = STOP_WITHIN,
) -> Outcome:
    """Run until something is put into `happened`: a name for what asked for the stop.

    "stop" is put there when the control socket is asked to stop, and "" when the supervisor gives
    up; the caller puts signals there. `started` is called when the run has begun, and `stopping`
    when it was asked to stop, with the name of what asked. Children that have not ended within
    `stop_within` are killed. If this process is killed, the channels to its children close, and
    they exit by themselves.

    Raises OSError if there is no place for the run's files or for its control socket.
    """
    with own_run(settings) as run:
        listener, place = bind_control_socket(run)
        actors = ActorSystem(EventLoopBase(), transientUnique=True)
        supervisor = actors.createActor(Supervisor)
        failures: list[str] = []

        def post(actor: ActorAddress, message: Any) -> None:
            with actors.private() as context:
                context.tell(actor, message)

        def ask(question: Any) -> Any:
            with actors.private() as context:
                return context.ask(supervisor, question, ANSWER_WITHIN)

        def status() -> Status:
            answer = ask(AskStatus())
            return answer if isinstance(answer, Status) else Status([], "the supervisor is stuck")

        def metrics() -> dict[int, str | None]:
            answer = ask(AskMetrics())
            return answer.texts if isinstance(answer, RunMetrics) else {}

        def gave_up(reason: str) -> None:
            failures.append(reason)
            happened.put("")

        control = ControlSocket(listener, status, lambda: happened.put("stop"))
        try:
            names = f"{run.number}-" if run.number > 1 else ""
            order = Supervise(settings, workers, names, run.lock, post, gave_up)
            actors.tell(supervisor, order)
            write_card(run, settings, place)
            with metrics_of_run(settings, metrics):
                started()
                asked = happened.get()
                if asked:
                    stopping(asked)
            end = actors.ask(supervisor, StopRun(), stop_within if asked else BREAK_OFF_WITHIN)
        finally:
            control.close()
            actors.shutdown()  # kills the children that have not ended
            remove_card(run)
    return Outcome(isinstance(end, RunEnded) and end.clean, "".join(failures[:1]))
