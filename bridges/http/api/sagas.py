"""`/api/v1/sagas`: list and show sagas, and send them operators' commands."""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.action_schemas import RetryingGroups
from order_sagas.bridges.http.api.endpoint import (
    Endpoint,
    Handle,
    Parameter,
    action_endpoint,
    read_endpoint,
)
from order_sagas.bridges.http.api.operators import operator_of, origin_of
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.request_body import read_optional
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.saga_detail_views import EarlyReplies, SagaDetailView
from order_sagas.bridges.http.api.saga_details import SagaDetails
from order_sagas.bridges.http.api.schemas import ActionReceipt, SagaGroups, SagaPage, SagaView
from order_sagas.bridges.http.api.search_params import OF_SAGAS, cause_of, saga_search
from order_sagas.bridges.http.config import Dependencies, HttpOptions, TimelineError
from order_sagas.bridges.http.problems import Problem, wrong_field
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.operations import (
    NoSuchSagaError,
    NoSuchStepError,
    NotPossibleError,
    Origin,
    ReasonNeededError,
    SagaOperations,
)
from order_sagas.bridges.storage.queries import SAGA_STATUSES

PATH = "/api/v1/sagas"
MESSAGES = Parameter("messages", {"type": "boolean"}, "Include the messages of the saga.")
TIMELINE = Parameter(
    "timeline", {"type": "boolean", "default": True}, "Include the timeline from the log files."
)
TIMELINES = 2
"""Maximum number of timelines that are read at once: each takes a thread and reads all files."""
LONGEST_WAIT = 5.0
"""Seconds after which a saga is shown without its timeline, while others are read."""


class SagaAction(msgspec.Struct, frozen=True):
    """Request body of an action on one saga."""

    step: str = ""
    """The stuck step; for `retry` and `skip`."""
    why: query.Reason = ""


Make = Callable[[SagaView, SagaAction, str], OperatorCommand]

ACTIONS: dict[str, tuple[str, Make]] = {
    "retry": (
        "Send the stuck command or compensation of `step` again",
        lambda saga, body, by: RetryStep(
            order_id=saga.order_id, saga=saga.saga, step=body.step, by=by, why=body.why
        ),
    ),
    "skip": (
        "Treat the stuck `step` as done; needs a `why`",
        lambda saga, body, by: SkipStep(
            order_id=saga.order_id, saga=saga.saga, step=body.step, by=by, why=body.why
        ),
    ),
    "resume": (
        "Retry every stuck step",
        lambda saga, body, by: ResumeSaga(
            order_id=saga.order_id, saga=saga.saga, by=by, why=body.why
        ),
    ),
    "cancel": (
        "Compensate the order, unless its pivot has passed; needs a `why`",
        lambda saga, body, by: CancelSaga(
            order_id=saga.order_id, saga=saga.saga, by=by, why=body.why
        ),
    ),
}
"""The actions with their summaries, and what makes their commands."""


class SagaRoutes:
    """Endpoints of sagas. Reads go to the database; commands are checked and sent to the log."""

    def __init__(self, dependencies: Dependencies, reader: ReadModel, options: HttpOptions) -> None:
        self._dependencies = dependencies
        self._reader = reader
        self._options = options
        self._details = SagaDetails(
            reader, dependencies.registry, dependencies.records_of, dependencies.links_of
        )
        self._timelines = asyncio.Semaphore(TIMELINES)
        self._operations = SagaOperations(
            dependencies.database, dependencies.registry, dependencies.approval_above
        )

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            *(
                action_endpoint(
                    f"{PATH}/{{id:path}}/{name}", self._ask(name, make), summary, SagaAction
                )
                for name, (summary, make) in ACTIONS.items()
            ),
            read_endpoint(
                PATH,
                self._list,
                "List sagas, the newest first",
                SagaPage,
                query.status_parameter(SAGA_STATUSES),
                *OF_SAGAS,
                query.LIMIT,
                query.AFTER_NAME,
            ),
            read_endpoint(
                PATH + "/groups",
                self._groups,
                "Sagas that need attention, by definition, step, failure code and cause",
                SagaGroups,
            ),
            read_endpoint(
                PATH + "/retrying",
                self._retrying,
                "Sagas that retry a step, by definition, step and cause",
                RetryingGroups,
            ),
            read_endpoint(
                PATH + "/early",
                self._early,
                "Replies and signals that came too early and are kept, the oldest first",
                EarlyReplies,
                query.LIMIT,
            ),
            read_endpoint(
                PATH + "/{id:path}",
                self._show,
                "A saga with its definition, steps, history, timeline, waits and messages",
                SagaDetailView,
                MESSAGES,
                TIMELINE,
            ),
        ]

    async def _list(self, request: Request) -> Response:
        statuses = query.statuses(request, SAGA_STATUSES)
        limit, after = query.limit(request), query.numbered_name(request, "after")
        which, cause = saga_search(request, statuses), cause_of(request)
        return answer(await in_thread(self._reader.find_sagas, which, limit, after, cause))

    async def _groups(self, request: Request) -> Response:
        return answer(await in_thread(self._reader.groups))

    async def _retrying(self, request: Request) -> Response:
        return answer(await in_thread(self._reader.retrying))

    async def _early(self, request: Request) -> Response:
        return answer(await in_thread(self._reader.early, query.limit(request)))

    async def _show(self, request: Request) -> Response:
        name, messages = query.order_id_of(request), query.flag(request, "messages")
        timeline = query.flag(request, "timeline", usual=True)
        saga = await in_thread(self._detail, name, messages=messages)
        return answer(await self._with_timeline(saga) if timeline else saga)

    def _detail(self, name: str, *, messages: bool) -> SagaDetailView:
        found = self._details.detail(name, messages=messages)
        if found is None:
            raise _no_such_saga()
        return found

    async def _with_timeline(self, saga: SagaDetailView) -> SagaDetailView:
        """Add the timeline, or why there is none. At most TIMELINES are read at once."""
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._timelines.acquire()
        except TimeoutError:
            problem = "others are being read from the log files; try again later"
            return msgspec.structs.replace(saga, timeline_problem=problem)
        try:
            timeline = await in_thread(self._dependencies.timeline, saga.order_id)
            return msgspec.structs.replace(saga, timeline=timeline)
        except TimelineError as error:
            return msgspec.structs.replace(saga, timeline_problem=str(error))
        finally:
            self._timelines.release()

    def _saga(self, name: str) -> SagaView:
        found = self._reader.saga(name)
        if found is None:
            raise _no_such_saga()
        return found

    def _ask(self, action: str, make: Make) -> Handle:
        async def ask(request: Request) -> Response:
            name, by, origin = query.order_id_of(request), operator_of(request), origin_of(request)
            body = await read_optional(request, self._options, SagaAction)
            send = partial(self._send, action, make, name, body, by, origin)
            return answer(await in_thread(send), 202)

        return ask

    def _send(
        self, action: str, make: Make, name: str, body: SagaAction, by: str, origin: Origin
    ) -> ActionReceipt:
        saga = self._saga(name)
        command = make(saga, body, by)
        try:
            self._operations.check(command)
            with self._dependencies.open_log() as log:
                sent = self._operations.send([command], log, origin)
        except NoSuchSagaError as error:
            raise Problem(404, str(error)) from None
        except NoSuchStepError as error:
            raise wrong_field("#/step", str(error)) from None
        except ReasonNeededError as error:
            raise wrong_field("#/why", str(error)) from None
        except (NotPossibleError, UnknownSagaError) as error:
            raise Problem(409, str(error)) from None
        return ActionReceipt(
            action=action,
            by=by,
            workers=sent.running,
            request=sent.request,
            pending=bool(sent.pending),
            saga_id=saga.saga_id,
        )


def _no_such_saga() -> Problem:
    return Problem(404, "there is no saga of this id")
