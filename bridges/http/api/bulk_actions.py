"""Endpoints that apply one action to every saga, or every dead letter, that matches a filter."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from order_sagas.actors.sagas.state import saga_id_of
from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.action_schemas import RequestId
from order_sagas.bridges.http.api.endpoint import ANY_REQUEST, Endpoint
from order_sagas.bridges.http.api.operators import operator_of, origin_of
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.request_body import read_body
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import BulkActionResult
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.problems import Problem, wrong_field
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.operations import (
    NoSuchSagaError,
    NoSuchStepError,
    Origin,
    ReasonNeededError,
    SagaFilter,
    SagaOperations,
    usual_statuses,
)
from order_sagas.bridges.operations.dead_letters import DeadLetterError, DeadLetterOperations
from order_sagas.bridges.operations.letters import DeadLetterFilter
from order_sagas.bridges.storage.operator_action_queries import asked_by

MOST = 1000
"""Maximum number of sagas, or dead letters, that one request acts on."""

Text = Annotated[str, msgspec.Meta(max_length=200, pattern=r"\A[^\u0000-\u001f\u007f]*\Z")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
LongText = Annotated[str, msgspec.Meta(max_length=1000)]
SagaIds = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=500, pattern="^[^/]+/")], ...],
    msgspec.Meta(max_length=MOST),
]
Numbers = Annotated[
    tuple[Annotated[int, msgspec.Meta(ge=0, le=query.LARGEST)], ...],
    msgspec.Meta(max_length=MOST),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class SagaSelection(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Filter of sagas in flight. All given fields must match. Oldest sagas are taken first."""

    saga: Text = ""
    """Name of the saga definition."""
    statuses: tuple[Literal["RUNNING", "COMPENSATING", "NEEDS_ATTENTION"], ...] = ()
    """Statuses to match. By default NEEDS_ATTENTION, or any status for `cancel`."""
    step: Text = ""
    """The step that the saga waits for or is stuck in. Required for `retry` and `skip`."""
    code: Text = ""
    """Failure code of the compensation."""
    older_than: Seconds = 0.0
    """Minimum age in seconds, counted from the start of the saga."""
    saga_ids: SagaIds = ()
    """Ids of sagas, `NAME/ORDER_ID`."""
    retrying: bool = False
    """Whether a step was sent more than once, or will be sent again. Then, any status."""
    cause: LongText = ""
    """Why the saga is stuck, as in a group of stuck sagas."""
    limit: Limit = MOST


class BulkSagaAction(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Request body of a bulk action on sagas.

    Unknown fields are rejected, because a misspelt filter would match more sagas than intended.
    """

    action: Literal["retry", "skip", "resume", "cancel"]
    filter: SagaSelection
    why: query.Reason = ""
    dry_run: bool = False
    """Only say what would be done."""
    request: RequestId = ""
    """The request of the same operator that this one continues; by default a new one."""


class DeadLetterSelection(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Filter of open dead letters. All given fields must match; omitted ones match any."""

    topic: Text = ""
    """The topic that the record came from."""
    error: Text = ""
    """Text that the error contains, case-insensitive."""
    older_than: Seconds = 0.0
    """Minimum age in seconds, counted from when the record became a dead letter."""
    kind: LongText = ""
    """The kind of the error, as in a group of dead letters."""
    numbers: Numbers = ()
    """Numbers of dead letters."""
    limit: Limit = MOST


class BulkDeadLetterAction(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Request body of a bulk action on dead letters. `discard` requires a `why`."""

    action: Literal["replay", "discard"]
    filter: DeadLetterSelection
    why: query.Reason = ""
    dry_run: bool = False
    """Only say what would be done."""
    request: RequestId = ""
    """The request of the same operator that this one continues; by default a new one."""


_COMMANDS: Mapping[str, type[OperatorCommand]] = {
    "retry": RetryStep,
    "skip": SkipStep,
    "resume": ResumeSaga,
    "cancel": CancelSaga,
}
_NEED_STEP = ("retry", "skip")


class BulkActionRoutes:
    """Bulk endpoints, with the selection and checks of the CLI commands with `--all`.

    Each saga decides for itself whether the command still applies when it arrives.
    """

    def __init__(self, dependencies: Dependencies, reader: ReadModel, options: HttpOptions) -> None:
        self._dependencies = dependencies
        self._reader = reader
        self._options = options
        self._operations = SagaOperations(
            dependencies.database, dependencies.registry, dependencies.approval_above
        )

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            Endpoint(
                "POST",
                "/api/v1/sagas/actions",
                Role.ACT,
                self._sagas,
                "Apply an action to all sagas that match, or list them (dry run)",
                {200: BulkActionResult, 202: BulkActionResult},
                body=BulkSagaAction,
            ),
            Endpoint(
                "POST",
                "/api/v1/dead-letters/actions",
                Role.ACT,
                self._letters,
                "Apply an action to all dead letters that match, or list them (dry run)",
                {200: BulkActionResult, 202: BulkActionResult},
                body=BulkDeadLetterAction,
                problems=ANY_REQUEST | {409},
            ),
        ]

    async def _sagas(self, request: Request) -> Response:
        return await self._ask(request, BulkSagaAction, self._act_on_sagas)

    async def _letters(self, request: Request) -> Response:
        return await self._ask(request, BulkDeadLetterAction, self._act_on_letters)

    async def _ask(
        self, request: Request, kind: type[Any], do: Callable[[Any, str, Origin], BulkActionResult]
    ) -> Response:
        options = self._options
        raw = await read_body(request, options.max_body, options.timeout)
        body = query.convert(raw, kind)
        by, origin = operator_of(request), origin_of(request, body.request)
        if body.request:
            await in_thread(self._check_request, body.request, by)
        found = await in_thread(do, body, by, origin)
        return answer(found, 200 if body.dry_run else 202)

    def _check_request(self, request: str, by: str) -> None:
        with self._reader.moment() as db:
            if asked_by(db, request) != by:
                raise wrong_field("#/request", "there is no such request of yours")

    def _act_on_sagas(self, body: BulkSagaAction, by: str, origin: Origin) -> BulkActionResult:
        kind, which = _COMMANDS[body.action], body.filter
        names_step = body.action in _NEED_STEP
        if names_step and not which.step:
            raise wrong_field("#/filter/step", f"{body.action} needs the name of the stuck step")
        template = kind(
            order_id="", saga="", step=which.step if names_step else "", by=by, why=body.why
        )
        any_status = which.retrying or which.saga_ids
        wanted = SagaFilter(
            which.saga,
            which.statuses or (() if any_status else usual_statuses(kind)),
            which.step,
            which.code,
            which.older_than,
            which.limit,
            which.saga_ids,
            which.retrying,
            which.cause,
        )
        try:
            choice = self._operations.choose(template, wanted, SystemClock().now())
        except NoSuchSagaError as error:
            raise wrong_field("#/filter/saga", str(error)) from None
        except NoSuchStepError as error:
            raise wrong_field("#/filter/step", str(error)) from None
        except ReasonNeededError as error:
            raise wrong_field("#/why", str(error)) from None
        commands = [each.command for each in choice.chosen]
        workers, sent = None, None
        if not body.dry_run:
            workers = self._dependencies.running()
            if commands:
                with self._dependencies.open_log() as log:
                    sent = self._operations.send(commands, log, origin)
                workers = sent.running
        return BulkActionResult(
            action=body.action,
            by=by,
            dry_run=body.dry_run,
            count=len(commands),
            more=choice.more,
            refused=Counter(choice.refused.values()),
            workers=workers,
            request=sent.request if sent else None,
            pending=sent.pending if sent else 0,
            saga_ids=[saga_id_of(each.saga, each.order_id) for each in commands],
        )

    def _act_on_letters(
        self, body: BulkDeadLetterAction, by: str, origin: Origin
    ) -> BulkActionResult:
        if body.action == "discard" and not body.why.strip():
            raise wrong_field("#/why", "discarding dead letters needs a reason")
        which, workers = body.filter, None
        with self._dependencies.open_log() as log:
            letters = DeadLetterOperations(log, origin=origin)
            found = letters.choose(
                DeadLetterFilter(
                    which.topic,
                    which.error,
                    which.older_than,
                    which.kind,
                    frozenset(which.numbers),
                )
            )
            fit = [each for each in found if each.topic or body.action == "discard"]
            numbers = [each.number for each in fit[: which.limit]]
            if not body.dry_run:
                try:
                    if not numbers:
                        workers = self._dependencies.running()
                    elif body.action == "replay":
                        workers = letters.replay(numbers, by, body.why)
                    else:
                        letters.discard(numbers, by, body.why)
                        workers = log.running or 0
                except DeadLetterError as error:
                    # Another request handled one of them first. None is replayed twice.
                    raise Problem(409, str(error)) from None
        lost = len(found) - len(fit)
        return BulkActionResult(
            action=body.action,
            by=by,
            dry_run=body.dry_run,
            count=len(numbers),
            more=len(fit) > len(numbers),
            refused={"it does not say where it came from": lost} if lost else {},
            workers=workers,
            request=origin.request if numbers and not body.dry_run else None,
            dead_letters=numbers,
        )
