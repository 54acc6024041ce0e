"""`/api/v1/dead-letters`: list, show, replay and discard dead letters."""

from functools import partial
from typing import Any

import attrs
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.action_schemas import DeadLetterGroup, DeadLetterGroups
from order_sagas.bridges.http.api.endpoint import (
    Endpoint,
    Parameter,
    action_endpoint,
    read_endpoint,
)
from order_sagas.bridges.http.api.operators import operator_of, origin_of
from order_sagas.bridges.http.api.request_body import read_optional
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import ActionReceipt, DeadLetterPage, DeadLetterView
from order_sagas.bridges.http.api.search_params import TIME, time_parameter
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.problems import Problem, wrong_field
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.operations import Origin
from order_sagas.bridges.operations.dead_letters import (
    DeadLetterError,
    DeadLetterOperations,
    DeadLetterReader,
)
from order_sagas.bridges.operations.letters import DeadLetter, DeadLetterFilter

PATH = "/api/v1/dead-letters"
MOST_GROUPS = 100
"""Maximum number of groups in an answer."""
LONGEST_NUMBER = 18
"""Maximum number of digits of a dead letter's number."""
_NUMBER = Parameter("number", {"type": "integer", "minimum": 0}, place="path")
FILTER = (
    Parameter("all", {"type": "boolean"}, "Include replayed and discarded ones."),
    Parameter("topic", query.text_schema(), "Only those of records of this topic."),
    Parameter("error", query.text_schema(), "Only those whose error has this text, in any case."),
    Parameter("since", query.text_schema(), f"Only those since this time: {TIME}."),
    Parameter("until", query.text_schema(), "Only those before this time."),
)
"""Query parameters that choose dead letters."""


class DeadLetterAction(msgspec.Struct, frozen=True):
    """Optional request body of an action on one dead letter."""

    why: query.Reason = ""
    again: bool = False
    """Act even if the dead letter was already replayed or discarded."""


class DeadLetterRoutes:
    """Endpoints of single dead letters. They are read from the log, and acted on by log records."""

    def __init__(self, dependencies: Dependencies, options: HttpOptions) -> None:
        self._dependencies = dependencies
        self._options = options

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            read_endpoint(
                PATH,
                self._list,
                "List dead letters, the oldest first",
                DeadLetterPage,
                query.LIMIT,
                query.AFTER_NUMBER,
                *FILTER,
            ),
            read_endpoint(
                PATH + "/groups",
                self._groups,
                "Open dead letters, by topic and kind of error",
                DeadLetterGroups,
            ),
            read_endpoint(PATH + "/{number}", self._show, "A dead letter", DeadLetterView, _NUMBER),
            action_endpoint(
                PATH + "/{number}/replay",
                partial(self._act, "replay"),
                "Append the record to its topic again",
                DeadLetterAction,
                _NUMBER,
            ),
            action_endpoint(
                PATH + "/{number}/discard",
                partial(self._act, "discard"),
                "Mark the record as needing no further action; needs a `why`",
                DeadLetterAction,
                _NUMBER,
            ),
        ]

    async def _list(self, request: Request) -> Response:
        limit, after = query.limit(request), query.number(request, "after")
        which, everything = filter_of(request), query.flag(request, "all")
        return answer(await in_thread(self.page, which, limit, after, everything))

    async def _groups(self, request: Request) -> Response:
        return answer(await in_thread(self._grouped))

    async def _show(self, request: Request) -> Response:
        return answer(await in_thread(self._one, _number(request)))

    async def _act(self, action: str, request: Request) -> Response:
        number, by, origin = _number(request), operator_of(request), origin_of(request)
        body = await read_optional(request, self._options, DeadLetterAction)
        if action == "discard" and not body.why.strip():
            raise wrong_field("#/why", "discarding a dead letter needs a reason")
        return answer(await in_thread(self._do, action, number, by, body, origin), 202)

    def _do(
        self, action: str, number: int, by: str, body: DeadLetterAction, origin: Origin
    ) -> ActionReceipt:
        with self._dependencies.open_log() as log:
            letters = DeadLetterOperations(log, origin=origin)
            _get(letters, number)
            try:
                if action == "replay":
                    letters.replay([number], by, body.why, again=body.again)
                else:
                    letters.discard([number], by, body.why, again=body.again)
            except DeadLetterError as error:
                raise Problem(409, str(error)) from None
            return ActionReceipt(
                action=action,
                by=by,
                workers=log.running or 0,
                request=origin.request,
                dead_letter=number,
            )

    def _grouped(self) -> DeadLetterGroups:
        groups, more = DeadLetterReader(self._dependencies.letters()).groups()
        return DeadLetterGroups(
            groups=[DeadLetterGroup(**attrs.asdict(each)) for each in groups[:MOST_GROUPS]],
            more=more or len(groups) > MOST_GROUPS,
        )

    def _one(self, number: int) -> DeadLetterView:
        return _view(_get(DeadLetterReader(self._dependencies.letters()), number))

    def page(
        self, which: DeadLetterFilter, limit: int, after: int | None, everything: bool
    ) -> DeadLetterPage:
        """Return a page of the dead letters that match; of `everything`, or of the open ones."""
        reader = DeadLetterReader(self._dependencies.letters())
        letters, following = reader.page(limit, after, marked=everything, which=which)
        return DeadLetterPage(
            dead_letters=[_view(each) for each in letters],
            next=None if following is None else str(following),
        )


def filter_of(request: Request) -> DeadLetterFilter:
    """Return which dead letters are asked for. Raises Problem 422 for an invalid parameter."""
    return DeadLetterFilter(
        topic=query.text(request, "topic"),
        error=query.text(request, "error"),
        since=time_parameter(request, "since"),
        until=time_parameter(request, "until"),
    )


def _number(request: Request) -> int:
    text = str(request.path_params["number"])
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise Problem(404, "there is no such dead letter")
    return int(text)


def _get(letters: DeadLetterReader, number: int) -> DeadLetter:
    try:
        return letters.get(number)
    except DeadLetterError as error:
        raise Problem(404, str(error)) from None


def _view(letter: DeadLetter) -> DeadLetterView:
    seen: dict[str, Any] = {}
    if letter.mark:
        mark = letter.mark
        seen = {"action": mark.action, "by": mark.by, "why": mark.why, "at": mark.at}
    return DeadLetterView(
        number=letter.number,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        time=letter.time,
        error=letter.error,
        key=_text(letter.key),
        value=_text(letter.value),
        headers={name: _text(value) or "" for name, value in letter.headers},
        truncated=letter.is_cut,
        **seen,
    )


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "backslashreplace")
