"""A run under a supervisor: used by `order-sagas start`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
from thespian.actors import ActorAddress, ActorSystem

from order_sagas.bridges.errors import ReplacedDatabaseError
from order_sagas.bridges.storage.file_watch import DatabaseFileWatch, explained
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings
from order_sagas.system.stop_requests import StopRequests
from order_sagas.system.supervision.control_socket import ControlSocket, bind_control_socket
from order_sagas.system.supervision.messages import AskMetrics, AskStatus, Status
from order_sagas.system.supervision.run_registry import (
    own_run,
    remove_registration,
    write_registration,
)
from order_sagas.system.supervision.supervisor import (
    RunEnded,
    RunMetrics,
    StopRun,
    Supervise,
    Supervisor,
)
from order_sagas.system.telemetry.setup import metrics_of_run

STOP_WITHIN = timedelta(seconds=70)
"""Time for the children to stop; each allows 60 seconds for its current batch."""
BREAK_OFF_WITHIN = timedelta(seconds=15)
"""Time for the other workers to stop when one keeps failing."""
ANSWER_WITHIN = timedelta(seconds=4)
"""Time for the supervisor to answer a request; its workers have two seconds."""


@attrs.frozen
class Outcome:
    """The result of a run; `failure` is the reason if it could not continue, else empty."""

    clean: bool
    failure: str = ""
    replaced: ReplacedDatabaseError | None = None
    """Set if the run ended because the file of its database was removed or replaced."""


def run_supervised(
    settings: Settings,
    workers: int,
    stops: StopRequests,
    started: Callable[[], None],
    stopping: Callable[[str], None],
    stop_within: timedelta = STOP_WITHIN,
) -> Outcome:
    """Run until `stops` has a reason to stop, and stop all processes.

    The reason is the name of a signal, "stop" after a request on the control socket, or "" if the
    supervisor gave up. `started` is called when the run has begun, and `stopping` with the reason,
    unless it is "". Children that have not exited within `stop_within` are killed. If this process
    is killed, the channels to its children close, and they exit.

    Raises OSError if the run's files or its control socket cannot be created.
    """
    failures: list[str] = []

    def gave_up(reason: str) -> None:
        failures.append(reason)
        stops.put("")

    watch = DatabaseFileWatch(settings.database, lambda error: gave_up(str(error)))
    with own_run(settings) as run, watch:
        listener, place = bind_control_socket(run)
        actors = ActorSystem(EventLoopBase(), transientUnique=True)
        supervisor = actors.createActor(Supervisor)

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

        control = ControlSocket(listener, status, lambda: stops.put("stop"))
        try:
            names = f"{run.number}-" if run.number > 1 else ""
            order = Supervise(settings, workers, names, run.lock, post, gave_up)
            actors.tell(supervisor, order)
            write_registration(run, settings, place)
            with metrics_of_run(settings, metrics):
                started()
                asked = stops.get()
                if asked:
                    stopping(asked)
            end = actors.ask(supervisor, StopRun(), stop_within if asked else BREAK_OFF_WITHIN)
        finally:
            control.close()
            actors.shutdown()  # kills the children that have not ended
            remove_registration(run)
    clean = isinstance(end, RunEnded) and end.clean
    return Outcome(clean, "".join(failures[:1]), explained(watch))
