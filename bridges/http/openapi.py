"""`/openapi.json`: the API described, its schemas made of the very structs that are answered."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from bridges.http import views
from bridges.http.dead_letters import LetterWish
from bridges.http.many import LetterChoice, LettersWish, SagaChoice, SagasWish
from bridges.http.problems import ProblemDetails
from bridges.http.query import LONGEST_ID, LONGEST_PAGE, LONGEST_WAIT, USUAL_PAGE
from bridges.http.routing import Endpoint
from bridges.http.sagas import ACTIONS, Wish
from bridges.http.services import PauseWish
from bridges.http.tokens import Role
from bridges.order_form import Id, LineForm, OrderForm
from bridges.store.queries import ORDER_STATUSES, SAGA_STATUSES

JSON = "application/json"

_Json = dict[str, Any]


class OpenApiRoutes:
    """The description; it never changes while the process lives."""

    def __init__(self) -> None:
        self._text = json.dumps(describe()).encode()

    def endpoints(self) -> list[Endpoint]:
        """Their table."""
        return [Endpoint("GET", "/openapi.json", Role.NONE, self._show)]

    async def _show(self, request: Request) -> Response:
        return Response(self._text, media_type=JSON)


def describe() -> _Json:
    """The whole description, as OpenAPI 3.1 has it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "order-sagas",
            "version": "1",
            "description": "Orders, their sagas, and what an operator does with them. Times are "
            "ISO 8601 in UTC, amounts whole minor units of the order's currency by ISO 4217; "
            "`amountText` is the same for people. Every error is "
            "a problem (RFC 9457).",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _paths() -> _Json:
    orders, sagas, letters = "/api/v1/orders", "/api/v1/sagas", "/api/v1/dead-letters"
    an_id = _path_parameter("id", {"type": "string", "minLength": 1})
    number = _path_parameter("number", {"type": "integer", "minimum": 0})
    page = [_limit(), _query("after", {"type": "integer"}, "The `next` of the page before.")]
    saga_page = [_limit(), _query("after", {"type": "string"}, "The `next` of the page before.")]
    prefix = {
        "type": "string",
        "maxLength": LONGEST_ID,
        "pattern": r"^[^\u0000-\u001f\u007f]*$",
    }
    wait = {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT}
    return {
        orders: {
            "get": _operation(
                "List orders, the newest first", {200: "OrderPage"}, _LIST,
                parameters=[
                    _statuses(ORDER_STATUSES),
                    _query("prefix", prefix, "Only those whose ids begin with it."),
                    *page,
                ],
            ),
            "post": _operation(
                "Bring an order; it is stored when this answers", {201: "Receipt", 200: "Receipt"},
                _BODY | {409},
                parameters=[
                    {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "description": "The same key brings the same order, however often.",
                        "schema": {"type": "string", "pattern": "^[ -~]{1,255}$"},
                    },
                    {
                        "name": "traceparent",
                        "in": "header",
                        "description": "W3C Trace Context: the span that the order's saga becomes "
                        "a part of, where traces are on. A malformed one is ignored.",
                        "schema": {"type": "string"},
                    },
                ],
                body="Order",
            ),
        },
        orders + "/{id}": {
            "get": _operation(
                "All that is known of an order", {200: "OrderView"}, _ONE | {422},
                parameters=[
                    an_id,
                    _query("wait", wait, "Seconds to wait for the end of the order."),
                ],
            ),
        },
        sagas: {
            "get": _operation(
                "List sagas, the newest first", {200: "SagaPage"}, _LIST,
                parameters=[_statuses(SAGA_STATUSES), *saga_page],
            ),
        },
        sagas + "/actions": {
            "post": _operation(
                "Ask the same of all sagas that fit, or say which they are",
                {200: "AskedOfMany", 202: "AskedOfMany"}, _BODY, body="SagasWish",
            ),
        },
        sagas + "/{id}": {
            "get": _operation(
                "A saga with its steps, its history and its timeline", {200: "SagaView"}, _ONE,
                parameters=[an_id],
            ),
        },
        **{
            f"{sagas}/{{id}}/{action}": {
                "post": _operation(
                    _ABOUT[action], {202: "Asked"}, _BODY | {404, 409},
                    parameters=[an_id], body="Wish", body_required=False,
                ),
            }
            for action in ACTIONS
        },
        "/api/v1/stock": {
            "get": _operation("Goods: on hand, held, sold", {200: "StockView"}, _SOME),
        },
        letters: {
            "get": _operation(
                "Records that nobody could handle, the oldest first", {200: "LetterPage"}, _LIST,
                parameters=[
                    *page,
                    _query("all", {"type": "boolean"}, "Also those that were seen to."),
                ],
            ),
        },
        letters + "/actions": {
            "post": _operation(
                "See to all dead letters that fit, or say which they are",
                {200: "AskedOfMany", 202: "AskedOfMany"}, _BODY | {409}, body="LettersWish",
            ),
        },
        letters + "/{number}": {
            "get": _operation("One of them", {200: "LetterView"}, _ONE, parameters=[number]),
        },
        **{
            f"{letters}/{{number}}/{action}": {
                "post": _operation(
                    about, {202: "Asked"}, _BODY | {404, 409},
                    parameters=[number], body="LetterWish", body_required=False,
                ),
            }
            for action, about in (
                ("replay", "Put the record on its topic once more"),
                ("discard", "Say that it needs nothing more; needs a `why`"),
            )
        },
        **{
            f"/api/v1/services/{{name}}/{action}": {
                "post": _operation(
                    about, {202: "Asked"}, _BODY | {404, 409},
                    parameters=[_path_parameter("name", {"type": "string", "minLength": 1})],
                    body="PauseWish", body_required=False,
                ),
            }
            for action, about in (
                ("pause", "Let a service, or the `intake`, rest; needs a `why`"),
                ("unpause", "End its pause: what was kept for it is handled first"),
            )
        },
        "/api/v1/events": {
            "get": _operation(
                "A snapshot a second, as server-sent events named `snapshot`", {}, _SOME,
                other=("text/event-stream", {"type": "string", "contentSchema": _ref("Snapshot")}),
            ),
        },
        "/health/live": {"get": _operation("The process answers", {200: "Alive"}, set())},
        "/health/ready": {
            "get": _operation(
                "Orders can be stored", {200: "Health", 503: "Health"}, set()
            ),
        },
        "/metrics": {
            "get": _operation(
                "For Prometheus", {}, _SOME, other=("text/plain", {"type": "string"})
            ),
        },
        "/openapi.json": {
            "get": _operation("This", {}, _SOME, other=(JSON, {"type": "object"})),
        },
    }  # fmt: skip


_ABOUT = {
    "retry": "Send the stuck command or compensation of `step` again",
    "skip": "Take the stuck `step` as done; needs a `why`",
    "resume": "Retry every stuck step",
    "cancel": "Undo the order, if it can still be undone; needs a `why`",
}
_SOME = {401, 403, 429, 500, 503}
"""Problems that any request may end with."""
_LIST = _SOME | {422}
_ONE = _SOME | {404}
_BODY = _SOME | {400, 408, 413, 415, 422}


def _operation(
    summary: str,
    answers: Mapping[int, str],
    problems: set[int],
    *,
    parameters: list[_Json] | None = None,
    body: str = "",
    body_required: bool = True,
    other: tuple[str, _Json] | None = None,
) -> _Json:
    responses: _Json = {
        str(status): {"description": "", "content": {JSON: {"schema": _ref(name)}}}
        for status, name in answers.items()
    }
    if other:
        kind, schema = other
        responses["200"] = {"description": "", "content": {kind: {"schema": schema}}}
    problem = {"application/problem+json": {"schema": _ref("ProblemDetails")}}
    for status in sorted(problems - answers.keys()):
        responses[str(status)] = {"description": "", "content": problem}
    found: _Json = {"summary": summary, "responses": responses}
    if parameters:
        found["parameters"] = parameters
    if body:
        content = {JSON: {"schema": _ref(body)}}
        found["requestBody"] = {"required": body_required, "content": content}
    return found


def _path_parameter(name: str, schema: _Json) -> _Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: _Json, about: str) -> _Json:
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _limit() -> _Json:
    schema = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": USUAL_PAGE}
    return _query("limit", schema, "How many on a page.")


def _statuses(known: tuple[str, ...]) -> _Json:
    schema = {"type": "array", "items": {"type": "string", "enum": [*known]}}
    return {**_query("status", schema, "Only those with one of these."), "explode": True}


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


_BODIES = (
    views.Receipt, views.OrderPage, views.OrderView, views.SagaPage, views.SagaView,
    views.StockView, views.LetterPage, views.LetterView, views.Asked, views.AskedOfMany,
    views.Health, views.Alive, views.Snapshot, ProblemDetails, OrderForm, LineForm, Wish,
    LetterWish, PauseWish, SagasWish, SagaChoice, LettersWish, LetterChoice,
)  # fmt: skip


def _schemas() -> _Json:
    _, raw = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    found: _Json = _plain_patterns(raw)
    form = found.pop("OrderForm")
    form["required"] = [name for name in form["required"] if name != "orderId"]
    found["OrderForm"] = form
    plain_id = _plain_patterns(msgspec.json.schema(Id))
    found["OrderById"] = {
        "title": "OrderById",
        "description": "An order of nothing but an id: it is worth nothing.",
        "type": "object",
        "properties": {"id": plain_id},
        "required": ["id"],
        "additionalProperties": False,
    }
    found["Order"] = {"anyOf": [_ref("OrderForm"), _ref("OrderById")]}
    return found


def _plain_patterns(value: Any) -> Any:
    """JSON Schema's patterns are those of JavaScript, which write the two ends differently."""
    if isinstance(value, dict):
        plain = {key: _plain_patterns(each) for key, each in value.items()}
        if isinstance(plain.get("pattern"), str):
            plain["pattern"] = plain["pattern"].replace(r"\A", "^").replace(r"\Z", "$")
        return plain
    return [_plain_patterns(each) for each in value] if isinstance(value, list | tuple) else value
