"""`/api/v1/services`: pause and unpause a service, or the intake of new orders."""

from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.endpoint import Endpoint, Handle, action_endpoint
from order_sagas.bridges.http.api.operators import operator_of, origin_of
from order_sagas.bridges.http.api.request_body import read_optional
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import ActionReceipt
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.problems import Problem, wrong_field
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.operations import (
    AlreadySoError,
    NoSuchTargetError,
    Origin,
    PauseOperations,
    ReasonNeededError,
)
from order_sagas.bridges.storage.deferred import INTAKE

PATH = "/api/v1/services"
ACTIONS = {
    "pause": "Pause a service, or the `intake`; needs a `why`",
    "unpause": "End the pause; deferred messages are handled first",
}


class PauseAction(msgspec.Struct, frozen=True):
    """Request body of pause and unpause. A pause requires a `why`."""

    why: query.Reason = ""


class ServiceRoutes:
    """Endpoints of pauses. Pauses are stored in the database; the snapshot lists current ones."""

    def __init__(self, dependencies: Dependencies, options: HttpOptions) -> None:
        self._dependencies = dependencies
        self._options = options
        self._names = (*dependencies.registry.participants(), INTAKE)

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            action_endpoint(f"{PATH}/{{name}}/{action}", self._ask(action), summary, PauseAction)
            for action, summary in ACTIONS.items()
        ]

    def _ask(self, action: str) -> Handle:
        async def ask(request: Request) -> Response:
            name, by, origin = request.path_params["name"], operator_of(request), origin_of(request)
            body = await read_optional(request, self._options, PauseAction)
            do = partial(self._do, action, name, by, body.why, origin)
            return answer(await in_thread(do), 202)

        return ask

    def _do(self, action: str, name: str, by: str, why: str, origin: Origin) -> ActionReceipt:
        with self._dependencies.open_log() as log:
            operations = PauseOperations(log, self._names, origin=origin)
            try:
                (operations.pause if action == "pause" else operations.unpause)(name, by, why)
            except NoSuchTargetError as error:
                raise Problem(404, str(error)) from None
            except AlreadySoError as error:
                raise Problem(409, str(error)) from None
            except ReasonNeededError as error:
                raise wrong_field("#/why", str(error)) from None
        return ActionReceipt(
            action=action,
            by=by,
            workers=self._dependencies.running(),
            request=origin.request,
            service=name,
        )
