"""`/api/v1/operator-actions`: the log of operators' actions, and approvals by a second person."""

from functools import partial
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.action_schemas import (
    ApprovalReceipt,
    OperatorActionPage,
    OperatorActionView,
    RequestProgress,
)
from order_sagas.bridges.http.api.endpoint import (
    ANY_REQUEST,
    Endpoint,
    Parameter,
    read_endpoint,
)
from order_sagas.bridges.http.api.operators import operator_of
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.request_body import read_body
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import moment
from order_sagas.bridges.http.api.search_params import TIME, time_parameter
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.problems import Problem, wrong_field
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.operations import (
    AlreadySoError,
    Approvals,
    NoSuchActionError,
    ReasonNeededError,
    SamePersonError,
)
from order_sagas.bridges.storage import operator_action_queries as actions
from order_sagas.bridges.storage.operator_actions import OUTCOMES, SAGA
from order_sagas.bridges.storage.queries import saga_statuses

PATH = "/api/v1/operator-actions"
_TEXTS = {
    "request": "Only those of this request.",
    "target": "Only those on this saga, dead letter or service.",
    "by": "Only those of this operator.",
    "action": "Only those of this name.",
}
FILTER = (
    *(Parameter(name, query.text_schema(), about) for name, about in _TEXTS.items()),
    Parameter(
        "outcome",
        {"type": "array", "items": {"type": "string", "enum": [*OUTCOMES]}},
        "Only those with one of these.",
        explode=True,
    ),
    Parameter("since", query.text_schema(), f"Only those asked for since this time: {TIME}."),
    Parameter("until", query.text_schema(), "Only those asked for before this time."),
)
"""Query parameters that choose actions."""
MOST = 500
"""Maximum number of actions that one request approves or rejects."""

Numbers = Annotated[
    tuple[Annotated[int, msgspec.Meta(ge=0, le=query.LARGEST)], ...],
    msgspec.Meta(min_length=1, max_length=MOST),
]


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request body of an approval or a rejection: the actions. A rejection requires a `why`."""

    numbers: Numbers
    why: query.Reason = ""


class OperatorActionRoutes:
    """Endpoints of the log of operators' actions."""

    def __init__(self, dependencies: Dependencies, reader: ReadModel, options: HttpOptions) -> None:
        self._dependencies = dependencies
        self._reader = reader
        self._options = options

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            read_endpoint(
                PATH,
                self._list,
                "List operators' actions with their outcomes, the newest first",
                OperatorActionPage,
                *FILTER,
                query.LIMIT,
                query.AFTER_NUMBER,
            ),
            read_endpoint(
                PATH + "/requests/{request}",
                self._progress,
                "How far a request has come",
                RequestProgress,
            ),
            self._decision(
                "approve",
                "Send actions that wait for the approval of a second person",
            ),
            self._decision("reject", "Send them never; needs a `why`"),
        ]

    def _decision(self, name: str, summary: str) -> Endpoint:
        return Endpoint(
            "POST",
            f"{PATH}/{name}",
            Role.ACT,
            partial(self._decide, name),
            summary,
            {202: ApprovalReceipt},
            body=Approval,
            problems=ANY_REQUEST | {404, 409},
        )

    async def _list(self, request: Request) -> Response:
        which = filter_of(request)
        limit, after = query.limit(request), query.number(request, "after")
        return answer(await in_thread(self.page, which, limit, after))

    def page(
        self, which: actions.ActionFilter, limit: int, after: int | None
    ) -> OperatorActionPage:
        """Return a page of the log."""
        with self._reader.moment() as db:
            rows = actions.actions_page(db, which, limit + 1, after)
            of_sagas = [row["target"] for row in rows if row["kind"] == SAGA]
            statuses = saga_statuses(db, of_sagas)
        for row in rows:
            row["status"] = statuses.get(row["target"]) if row["kind"] == SAGA else None
        return OperatorActionPage(
            actions=[_view(row) for row in rows[:limit]],
            next=str(rows[limit - 1]["no"]) if len(rows) > limit else None,
        )

    async def _progress(self, request: Request) -> Response:
        name = query.order_id_of(request, "request")
        return answer(await in_thread(self._progress_of, name))

    def _progress_of(self, name: str) -> RequestProgress:
        with self._reader.moment() as db:
            found = actions.results(db, name)
        if not found.outcomes:
            raise Problem(404, "there is no request of this id")
        return RequestProgress(
            request=name,
            count=found.outcomes.total(),
            outcomes=found.outcomes,
            refused=found.refused,
            sagas=found.sagas,
        )

    async def _decide(self, name: str, request: Request) -> Response:
        by, options = operator_of(request), self._options
        raw = await read_body(request, options.max_body, options.timeout)
        body: Approval = query.convert(raw, Approval)
        receipt = await in_thread(self._decided, body, by, approve=name == "approve")
        return answer(receipt, 202)

    def _decided(self, body: Approval, by: str, *, approve: bool) -> ApprovalReceipt:
        approvals = Approvals(self._dependencies.database)
        try:
            with self._dependencies.open_log() as log:
                if approve:
                    workers = approvals.approve(body.numbers, by, log).running
                else:
                    approvals.reject(body.numbers, by, body.why, log)
                    workers = log.running or 0
        except NoSuchActionError as error:
            raise Problem(404, str(error)) from None
        except ReasonNeededError as error:
            raise wrong_field("#/why", str(error)) from None
        except (AlreadySoError, SamePersonError) as error:
            raise Problem(409, str(error)) from None
        return ApprovalReceipt(by=by, numbers=[*body.numbers], workers=workers)


def filter_of(request: Request) -> actions.ActionFilter:
    """Return which actions are asked for. Raises Problem 422 for an invalid parameter."""
    texts = {name: query.text(request, name) for name in _TEXTS}
    outcomes = tuple(query.one_of(request, "outcome", OUTCOMES))
    since, until = (time_parameter(request, name) for name in ("since", "until"))
    return actions.ActionFilter(**texts, outcomes=outcomes, since=since, until=until)


def _view(row: dict[str, Any]) -> OperatorActionView:
    fields = {name: row[name] for name in OperatorActionView.__struct_fields__ if name in row}
    fields["done_at"] = moment(row["done_at"])
    return OperatorActionView(number=row["no"], at=moment(row["asked_at"]) or "", **fields)
