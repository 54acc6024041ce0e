"""`/openapi.json`: the OpenAPI description, with schemas generated from the response structs."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.http.api import schemas as views
from order_sagas.bridges.http.api.bulk_actions import (
    BulkDeadLetterAction,
    BulkSagaAction,
    DeadLetterSelection,
    SagaSelection,
)
from order_sagas.bridges.http.api.dead_letters import DeadLetterAction
from order_sagas.bridges.http.api.message_components import (
    all_signals,
    message_components,
    schema_of,
    starts_of,
)
from order_sagas.bridges.http.api.query_params import (
    LONGEST_ID,
    LONGEST_PAGE,
    LONGEST_WAIT,
    USUAL_PAGE,
)
from order_sagas.bridges.http.api.routing import Endpoint
from order_sagas.bridges.http.api.saga_detail_views import SagaDetailView
from order_sagas.bridges.http.api.sagas import ACTIONS, SagaAction
from order_sagas.bridges.http.api.services import PauseAction
from order_sagas.bridges.http.problems import ProblemDetails
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.intake.order_schema import Id, LineForm, OrderForm
from order_sagas.bridges.records.message_schemas import plain_patterns
from order_sagas.bridges.storage.queries import ORDER_STATUSES, SAGA_STATUSES

JSON = "application/json"

_Json = dict[str, Any]


class OpenApiRoutes:
    """The endpoint of the description, which is generated once."""

    def __init__(self, registry: Registry) -> None:
        self._text = json.dumps(describe(registry)).encode()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [Endpoint("GET", "/openapi.json", Role.NONE, self._show)]

    async def _show(self, request: Request) -> Response:
        return Response(self._text, media_type=JSON)


def describe(registry: Registry) -> _Json:
    """Return the OpenAPI 3.1 description of the API, with the messages of the registered sagas."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "order-sagas",
            "version": "1",
            "description": "Orders, their sagas, and what an operator does with them. Times are "
            "ISO 8601 in UTC. Amounts are whole minor units of the order's currency (ISO 4217); "
            "`amountText` is the same amount formatted for display. Every error is a problem "
            "(RFC 9457).",
        },
        "paths": _paths(registry),
        "components": {
            "schemas": _schemas() | message_components(registry),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _paths(registry: Registry) -> _Json:
    orders, sagas, letters = "/api/v1/orders", "/api/v1/sagas", "/api/v1/dead-letters"
    orders_too = ("OrderForm",) if OrderCreated in registry.started_by else ()
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
                "Submit an order; it is stored before the response",
                {201: "Receipt", 200: "Receipt"},
                _BODY | {409},
                parameters=[
                    {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "description": "Requests with the same key create one order.",
                        "schema": {"type": "string", "pattern": "^[ -~]{1,255}$"},
                    },
                    {
                        "name": "traceparent",
                        "in": "header",
                        "description": "W3C Trace Context: the parent span of the order's saga, if "
                        "tracing is enabled. A malformed value is ignored.",
                        "schema": {"type": "string"},
                    },
                ],
                body="Order",
            ),
        },
        orders + "/{id}": {
            "get": _operation(
                "An order with its payment, reservation, notification and sagas",
                {200: "OrderView"}, _ONE | {422},
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
        sagas + "/groups": {
            "get": _operation(
                "Sagas that need attention, by definition, step and failure code",
                {200: "SagaGroups"}, _SOME,
            ),
        },
        sagas + "/actions": {
            "post": _operation(
                "Apply an action to all sagas that match, or list them (dry run)",
                {200: "BulkActionResult", 202: "BulkActionResult"}, _BODY, body="BulkSagaAction",
            ),
        },
        sagas + "/{id}": {
            "get": _operation(
                "A saga with its definition, steps, history, timeline, waits and messages",
                {200: "SagaDetailView"}, _ONE,
                parameters=[
                    an_id,
                    _query("messages", {"type": "boolean"}, "Include the messages of the saga."),
                ],
            ),
            "post": _operation(
                "Start a saga of the definition that is named; it is stored before the response",
                {201: "SagaReceipt", 200: "SagaReceipt"}, _BODY | {404, 409},
                parameters=[an_id], schema=schema_of(starts_of(registry), *orders_too),
            ),
        },
        sagas + "/{id}/signals/{message}": {
            "post": _operation(
                "Send a saga a signal that it waits for", {202: "ActionReceipt"},
                _BODY | {404, 409},
                parameters=[
                    an_id,
                    _path_parameter("message", {"type": "string", "minLength": 1}),
                ],
                schema=schema_of(all_signals(registry)), body_required=False,
            ),
        },
        **{
            f"{sagas}/{{id}}/{action}": {
                "post": _operation(
                    _ABOUT[action], {202: "ActionReceipt"}, _BODY | {404, 409},
                    parameters=[an_id], body="SagaAction", body_required=False,
                ),
            }
            for action in ACTIONS
        },
        "/api/v1/caller": {
            "get": _operation("What the caller may do", {200: "CallerView"}, _SOME),
        },
        "/api/v1/stock": {
            "get": _operation("Stock levels: on hand, held, sold", {200: "StockView"}, _SOME),
        },
        letters: {
            "get": _operation(
                "List dead letters, the oldest first", {200: "DeadLetterPage"}, _LIST,
                parameters=[
                    *page,
                    _query("all", {"type": "boolean"}, "Include replayed and discarded ones."),
                ],
            ),
        },
        letters + "/actions": {
            "post": _operation(
                "Apply an action to all dead letters that match, or list them (dry run)",
                {200: "BulkActionResult", 202: "BulkActionResult"}, _BODY | {409},
                body="BulkDeadLetterAction",
            ),
        },
        letters + "/{number}": {
            "get": _operation("A dead letter", {200: "DeadLetterView"}, _ONE, parameters=[number]),
        },
        **{
            f"{letters}/{{number}}/{action}": {
                "post": _operation(
                    about, {202: "ActionReceipt"}, _BODY | {404, 409},
                    parameters=[number], body="DeadLetterAction", body_required=False,
                ),
            }
            for action, about in (
                ("replay", "Append the record to its topic again"),
                ("discard", "Mark the record as needing no further action; needs a `why`"),
            )
        },
        **{
            f"/api/v1/services/{{name}}/{action}": {
                "post": _operation(
                    about, {202: "ActionReceipt"}, _BODY | {404, 409},
                    parameters=[_path_parameter("name", {"type": "string", "minLength": 1})],
                    body="PauseAction", body_required=False,
                ),
            }
            for action, about in (
                ("pause", "Pause a service, or the `intake`; needs a `why`"),
                ("unpause", "End the pause; deferred messages are handled first"),
            )
        },
        "/api/v1/events": {
            "get": _operation(
                "One snapshot per second, as server-sent events named `snapshot`", {}, _SOME,
                other=("text/event-stream", {"type": "string", "contentSchema": _ref("Snapshot")}),
            ),
        },
        "/health/live": {"get": _operation("The process answers", {200: "Liveness"}, set())},
        "/health/ready": {
            "get": _operation(
                "Orders can be stored", {200: "Readiness", 503: "Readiness"}, set()
            ),
        },
        "/metrics": {
            "get": _operation(
                "Metrics in the Prometheus text format", {}, _SOME,
                other=("text/plain", {"type": "string"}),
            ),
        },
        "/openapi.json": {
            "get": _operation(
                "This OpenAPI description", {}, _SOME, other=(JSON, {"type": "object"})
            ),
        },
    }  # fmt: skip


_ABOUT = {
    "retry": "Send the stuck command or compensation of `step` again",
    "skip": "Treat the stuck `step` as done; needs a `why`",
    "resume": "Retry every stuck step",
    "cancel": "Compensate the order, unless its pivot has passed; needs a `why`",
}
_SOME = {401, 403, 422, 429, 500, 503}
"""Error statuses that any request may be answered with; 422 also for an unknown parameter."""
_LIST = _SOME
_ONE = _SOME | {404}
_BODY = _SOME | {400, 408, 413, 415}


def _operation(
    summary: str,
    answers: Mapping[int, str],
    problems: set[int],
    *,
    parameters: list[_Json] | None = None,
    body: str = "",
    schema: _Json | None = None,
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
    if body or schema is not None:
        content = {JSON: {"schema": schema if schema is not None else _ref(body)}}
        found["requestBody"] = {"required": body_required, "content": content}
    return found


def _path_parameter(name: str, schema: _Json) -> _Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: _Json, about: str) -> _Json:
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _limit() -> _Json:
    schema = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": USUAL_PAGE}
    return _query("limit", schema, "Maximum number of items on the page.")


def _statuses(known: tuple[str, ...]) -> _Json:
    schema = {"type": "array", "items": {"type": "string", "enum": [*known]}}
    return {**_query("status", schema, "Only those with one of these."), "explode": True}


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}


_BODIES = (
    views.Receipt, views.OrderPage, views.OrderView, views.SagaPage, SagaDetailView,
    views.SagaReceipt, views.SagaGroups, views.StockView, views.CallerView,
    views.DeadLetterPage, views.DeadLetterView,
    views.ActionReceipt, views.BulkActionResult, views.Readiness, views.Liveness, views.Snapshot,
    ProblemDetails, OrderForm, LineForm, SagaAction, DeadLetterAction, PauseAction,
    BulkSagaAction, SagaSelection, BulkDeadLetterAction, DeadLetterSelection,
)  # fmt: skip


def _schemas() -> _Json:
    _, raw = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    found: _Json = plain_patterns(raw)
    form = found.pop("OrderForm")
    form["required"] = [name for name in form["required"] if name != "orderId"]
    found["OrderForm"] = form
    plain_id = plain_patterns(msgspec.json.schema(Id))
    found["OrderById"] = {
        "title": "OrderById",
        "description": "An order with only an id, without amount.",
        "type": "object",
        "properties": {"id": plain_id},
        "required": ["id"],
        "additionalProperties": False,
    }
    found["Order"] = {"anyOf": [_ref("OrderForm"), _ref("OrderById")]}
    return found
