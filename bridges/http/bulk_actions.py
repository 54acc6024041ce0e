"""`/api/v1/sagas/actions` and `/api/v1/dead-letters/actions`: the same of all that fit a filter."""

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
from order_sagas.bridges.operations.dead_letters import LetterError, LetterFilter, Letters

MOST = 1000
"""Sagas, or letters, that one request sees to; what is left is for the next."""

Text = Annotated[str, msgspec.Meta(max_length=200, pattern=r"\A[^\u0000-\u001f\u007f]*\Z")]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class SagaChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Sagas in flight that fit all of it; what is left out fits any. The oldest come first."""

    saga: Text = ""
    """The name of their definition."""
    statuses: tuple[Literal["RUNNING", "COMPENSATING", "NEEDS_ATTENTION"], ...] = ()
    """Those that need attention if it is left out; of `cancel`, any."""
    step: Text = ""
    """A step that they wait for, or are stuck in; `retry` and `skip` need it."""
    code: Text = ""
    """Why they are being undone."""
    older_than: Seconds = 0.0
    """Seconds since they began, at least."""
    limit: Limit = MOST


class SagasWish(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What an operator asks of many sagas. A field that is not known is refused: it might have been
    meant to leave some out.
    """

    action: Literal["retry", "skip", "resume", "cancel"]
    filter: SagaChoice
    why: str = ""
    dry_run: bool = False
    """Only say what would be done."""


class LetterChoice(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Dead letters that nobody has seen to and that fit all of it; what is left out fits any."""

    topic: Text = ""
    """Where they came from."""
    error: Text = ""
    """A part of the error's text, in any case."""
    older_than: Seconds = 0.0
    """Seconds since they became dead letters, at least."""
    limit: Limit = MOST


class LettersWish(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What an operator asks of many dead letters; `discard` needs a `why`."""

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
    """Chosen and checked as the commands with --all do it; each saga decides for itself."""

    def __init__(self, around: Dependencies, options: HttpOptions) -> None:
        self._around = around
        self._options = options
        self._operations = SagaOperations(around.database, around.registry)

    def endpoints(self) -> list[Endpoint]:
        """Their table."""
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
            letters = Letters(log)
            found = letters.choose(LetterFilter(which.topic, which.error, which.older_than))
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
                except LetterError as error:
                    # Somebody else was quicker with one of them: none is done twice.
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
