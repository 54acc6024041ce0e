"""`/api/v1/orders`: submit, list and show orders."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.body_schemas import order_body
from order_sagas.bridges.http.api.completion_waiter import CompletionWaiter
from order_sagas.bridges.http.api.endpoint import ANY_REQUEST, Endpoint, Parameter, read_endpoint
from order_sagas.bridges.http.api.idempotency_key import (
    client_key,
    former_order_id_for,
    order_id_for,
)
from order_sagas.bridges.http.api.pending_orders import PendingOrders
from order_sagas.bridges.http.api.read_model import CLOSED, ReadModel
from order_sagas.bridges.http.api.request_body import read_body
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import OrderPage, OrderView, Receipt
from order_sagas.bridges.http.api.search_params import OF_ORDERS, order_search
from order_sagas.bridges.http.api.trace_context import in_trace_of
from order_sagas.bridges.http.config import HttpOptions
from order_sagas.bridges.http.problems import FieldError, Problem, wrong_field, wrong_parameter
from order_sagas.bridges.http.server.authentication import LOCAL
from order_sagas.bridges.http.server.caller_slots import CallerSlots
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.http.server.tokens import Caller, Role
from order_sagas.bridges.intake.installation_secret import installation_secret
from order_sagas.bridges.intake.intake import Verdict
from order_sagas.bridges.intake.order_schema import Id, InvalidOrderError, NotJsonError, check_order
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.storage.queries import ORDER_STATUSES

PATH = "/api/v1/orders"
_HEADERS = (
    Parameter(
        "Idempotency-Key",
        {"type": "string", "pattern": "^[ -~]{1,255}$"},
        "Requests with the same key create one order.",
        place="header",
    ),
    Parameter(
        "traceparent",
        {"type": "string"},
        "W3C Trace Context: the parent span of the order's saga, if workers trace or pass traces "
        "on. A malformed value is ignored.",
        place="header",
    ),
    Parameter(
        "tracestate",
        {"type": "string", "maxLength": 512},
        "W3C Trace Context: passed on with a valid traceparent.",
        place="header",
    ),
)


class OrderRoutes:
    """Endpoints of orders.

    New orders are stored through `PendingOrders`; reads go to the database.
    """

    def __init__(
        self,
        pending: PendingOrders,
        reader: ReadModel,
        options: HttpOptions,
        open_log: Callable[[], LogWriter],
    ) -> None:
        """Take the parts of the server. `open_log` opens a log for the calling thread."""
        self._pending = pending
        self._open_log = open_log
        self._secret = b""
        self._reader = reader
        self._options = options
        self._ends = CompletionWaiter(reader)
        self._waits = CallerSlots(max(4, options.connections // 2), "requests wait")

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            Endpoint(
                "POST",
                PATH,
                Role.SUBMIT,
                self._submit,
                "Submit an order; it is stored before the response",
                {201: Receipt, 200: Receipt},
                _HEADERS,
                body=order_body(),
                problems=ANY_REQUEST | {409},
            ),
            read_endpoint(
                PATH,
                self._list,
                "List orders, the newest first",
                OrderPage,
                query.status_parameter(ORDER_STATUSES),
                *OF_ORDERS,
                query.LIMIT,
                query.AFTER_NUMBER,
            ),
            Endpoint(
                "GET",
                PATH + "/{id:path}",
                Role.SUBMIT | Role.READ,
                self._show,
                "An order with its payment, reservation, notification and sagas",
                {200: OrderView},
                (query.WAIT,),
            ),
        ]

    async def end(self) -> None:
        """Answer requests that wait for the end of an order now."""
        await self._ends.end()

    async def _submit(self, request: Request) -> Response:
        if not self._reader.takes_orders:
            raise Problem(
                404, "the app takes no orders; start sagas with POST /api/v1/sagas/{name}"
            )
        key = client_key(request)
        raw = await read_body(request, self._options.max_body, self._options.timeout)
        if key and not self._secret:
            self._secret = await in_thread(self._read_secret)
        lenient = "handling=lenient" in request.headers.get("prefer", "").replace(" ", "").lower()
        given, order = read_order(raw, order_id_for(key, self._secret), lenient=lenient)
        order = in_trace_of(order, request)
        caller = request.scope["caller"]
        submitter = "" if caller is LOCAL else caller.name
        verdict = await self._pending.submit(order, key, submitter)
        if verdict is Verdict.KEY_REUSED and not given:
            order = msgspec.structs.replace(order, order_id=former_order_id_for(key))
            verdict = await self._pending.submit(order, key, submitter)
        if verdict is Verdict.ACCEPTED or verdict is Verdict.DUPLICATE:
            status = 201 if verdict is Verdict.ACCEPTED else 200
            where = f"{PATH}/{quote(order.order_id, safe='')}"
            return answer(Receipt(order_id=order.order_id), status, {"Location": where})
        raise _refused(verdict)

    def _read_secret(self) -> bytes:
        with self._open_log() as log:
            return installation_secret(log)

    async def _list(self, request: Request) -> Response:
        statuses = query.statuses(request, ORDER_STATUSES)
        limit, after = query.limit(request), query.number(request, "after")
        which = order_search(request, statuses)
        page = await in_thread(self._reader.find_orders, which, limit, after)
        return answer(page)

    async def _show(self, request: Request) -> Response:
        order_id, seconds = query.order_id_of(request), query.wait(request)
        await self._check_submitter(request.scope["caller"], order_id)
        found = await in_thread(self._reader.order, order_id)
        if found and seconds and found.status not in CLOSED:
            with self._waits.taken(request.scope["caller"]):
                await self._ends.wait(order_id, seconds)
            found = await in_thread(self._reader.order, order_id)
        if found is None:
            raise _unknown()
        return answer(found)

    async def _check_submitter(self, caller: Caller, order_id: str) -> None:
        """Raise Problem 404 if the caller may only read orders of its own, and this is none."""
        if caller.role & Role.READ:
            return
        if await in_thread(self._reader.submitter, order_id) != caller.name:
            raise _unknown()


# A new one for each request: an exception raised repeatedly keeps the frames of all its raises.
def _unknown() -> Problem:
    return Problem(404, "there is no order of this id")


def _refused(verdict: Verdict) -> Problem:
    if verdict is Verdict.CONFLICT:
        return Problem(409, "the order id is taken by an order with other content")
    if verdict is Verdict.KEY_REUSED:
        return wrong_parameter("Idempotency-Key", "it was used with another body")
    return Problem(413, "the order is larger than a record may be")


def read_order(raw: bytes, usual_id: str, *, lenient: bool = False) -> tuple[bool, OrderCreated]:
    """Return whether the order in a body has an id of its own, and the order.

    Raises Problem: 400 if the body is not JSON, 422 if it does not validate.

    `id` is accepted for `orderId`; a body with only `id` is an order with no amount. If the id is
    missing, it is `usual_id`. Unknown fields are refused, unless `lenient` (the header
    `Prefer: handling=lenient` of RFC 7240).
    """
    # To msgspec Any is a type.
    fields = query.convert(raw, Any)  # pyright: ignore[reportArgumentType]
    named, given = "orderId", True
    if isinstance(fields, dict):
        if "id" in fields and "orderId" in fields:
            raise wrong_field("#/id", "give either id or orderId")
        if repeated := query.repeated_name(raw):
            raise wrong_field(f"#/{repeated}", "the field is given more than once")
        if "id" in fields and "orderId" not in fields:
            named = "id"
            if len(fields) == 1:
                return True, OrderCreated(order_id=_plain_id(fields["id"]))
            fields["orderId"] = fields.pop("id")
        given = "orderId" in fields
        fields.setdefault("orderId", usual_id)
    try:
        return given, check_order(fields, lenient=lenient)
    except NotJsonError as error:
        raise Problem(400, str(error)) from None
    except InvalidOrderError as error:
        words = str(error)
        detail = words.removeprefix(f"{error.field}: ")
        pointer = query.pointer_of(named if error.field == "orderId" else error.field, detail)
        raise Problem(422, words, errors=[FieldError(detail, pointer=pointer)]) from None


def _plain_id(value: Any) -> str:
    try:
        found: str = msgspec.convert(value, Id)
    except msgspec.ValidationError:
        words = (
            "expected text of 1 to 200 characters, without spaces around it or control characters"
        )
        raise Problem(422, f"id: {words}", errors=[FieldError(words, pointer="#/id")]) from None
    return found
