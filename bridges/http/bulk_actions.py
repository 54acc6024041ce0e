"""Endpoints that apply one action to every saga, or every dead letter, that matches a filter."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from order_sagas.actors.sagas.state import saga_id_of
from order_sagas.bridges.http import query_params as query
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.problems import Problem, wrong_field
from order_sagas.bridges.http.request_body import read_body
from order_sagas.bridges.http.routing import Endpoint, answer
from order_sagas.bridges.http.schemas import AskedOfMany
from order_sagas.bridges.http.tokens import Role
from order_sagas.bridges.operations import (
    NoSuchSagaError,
    NoSuchStepError,
    ReasonNeededError,
    SagaFilter,
    SagaOperations,
    usual_statuses,
)
from order_sagas.bridges.operations.dead_letters import (
    DeadLetterError,
    DeadLetterFilter,
    DeadLetterOperations,
)

MOST = 1000
"""Maximum number of sagas, or dead letters, that one request acts on."""

Text = Annotated[str, msgspec.Meta(max_length=200, pattern=r"\A[^\u0000-\u001f\u007f]*\Z")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class SagaChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
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
    limit: Limit = MOST


class SagasWish(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Request body of a bulk action on sagas.

    Unknown fields are rejected, because a misspelt filter would match more sagas than intended.
    """

    action: Literal["retry", "skip", "resume", "cancel"]
    filter: SagaChoice
    why: str = ""
    dry_run: bool = False
    """Only say what would be done."""


class LetterChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Filter of open dead letters. All given fields must match; omitted ones match any."""

    topic: Text = ""
    """The topic that the record came from."""
    error: Text = ""
    """Text that the error contains, case-insensitive."""
    older_than: Seconds = 0.0
    """Minimum age in seconds, counted from when the record became a dead letter."""
    limit: Limit = MOST


class LettersWish(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Request body of a bulk action on dead letters. `discard` requires a `why`."""

    action: Literal["replay", "discard"]
    filter: LetterChoice
    why: str = ""
    dry_run: bool = False
    """Only say what would be done."""


_COMMANDS: Mapping[str, type[OperatorCommand]] = {
    "retry": RetryStep,
    "skip": SkipStep,
    "resume": ResumeSaga,
    "cancel": CancelSaga,
}
_NEED_STEP = ("retry", "skip")


class ManyRoutes:
    """Bulk endpoints, with the selection and checks of the CLI commands with `--all`.

    Each saga decides for itself whether the command still applies when it arrives.
    """

    def __init__(self, around: Dependencies, options: HttpOptions) -> None:
        self._around = around
        self._options = options
        self._operations = SagaOperations(around.database, around.registry)

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            Endpoint("POST", "/api/v1/sagas/actions", Role.OPERATE, self._sagas),
            Endpoint("POST", "/api/v1/dead-letters/actions", Role.OPERATE, self._letters),
        ]

    async def _sagas(self, request: Request) -> Response:
        return await self._ask(request, SagasWish, self._ask_sagas)

    async def _letters(self, request: Request) -> Response:
        return await self._ask(request, LettersWish, self._see_to_letters)

    async def _ask(
        self, request: Request, kind: type[Any], do: Callable[[Any, str], AskedOfMany]
    ) -> Response:
        options = self._options
        raw = await read_body(request, options.max_body, options.timeout)
        wish = query.convert(raw, kind)
        found = await run_in_threadpool(do, wish, request.scope["caller"].name)
        return answer(found, 200 if wish.dry_run else 202)

    def _ask_sagas(self, wish: SagasWish, by: str) -> AskedOfMany:
        kind, which = _COMMANDS[wish.action], wish.filter
        names_step = wish.action in _NEED_STEP
        if names_step and not which.step:
            raise wrong_field("#/filter/step", f"{wish.action} needs the name of the stuck step")
        template = kind(
            order_id="", saga="", step=which.step if names_step else "", by=by, why=wish.why
        )
        statuses = which.statuses or usual_statuses(kind)
        wanted = SagaFilter(
            which.saga, statuses, which.step, which.code, which.older_than, which.limit
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
        workers = None
        if not wish.dry_run:
            workers = self._around.running()
            if commands:
                with self._around.open_log() as log:
                    workers = self._operations.send(commands, log)
        return AskedOfMany(
            asked=wish.action,
            by=by,
            dry_run=wish.dry_run,
            count=len(commands),
            more=choice.more,
            refused=Counter(choice.refused.values()),
            workers=workers,
            saga_ids=[saga_id_of(each.saga, each.order_id) for each in commands],
        )

    def _see_to_letters(self, wish: LettersWish, by: str) -> AskedOfMany:
        if wish.action == "discard" and not wish.why.strip():
            raise wrong_field("#/why", "discarding dead letters needs a reason")
        which, workers = wish.filter, None
        with self._around.open_log() as log:
            letters = DeadLetterOperations(log)
            found = letters.choose(DeadLetterFilter(which.topic, which.error, which.older_than))
            fit = [each for each in found if each.topic or wish.action == "discard"]
            numbers = [each.number for each in fit[: which.limit]]
            if not wish.dry_run:
                try:
                    if not numbers:
                        workers = self._around.running()
                    elif wish.action == "replay":
                        workers = letters.replay(numbers, by, wish.why)
                    else:
                        letters.discard(numbers, by, wish.why)
                        workers = log.running or 0
                except DeadLetterError as error:
                    # Another request handled one of them first. None is replayed twice.
                    raise Problem(409, str(error)) from None
        lost = len(found) - len(fit)
        return AskedOfMany(
            asked=wish.action,
            by=by,
            dry_run=wish.dry_run,
            count=len(numbers),
            more=len(fit) > len(numbers),
            refused={"it does not say where it came from": lost} if lost else {},
            workers=workers,
            dead_letters=numbers,
        )
