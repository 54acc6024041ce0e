"""`POST /api/v1/sagas/{name}` and `.../{id}/signals/{message}`: start sagas, and answer them."""

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.state import saga_id_of
from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.body_schemas import signal_body, start_body
from order_sagas.bridges.http.api.endpoint import ANY_REQUEST, Endpoint, Parameter, action_endpoint
from order_sagas.bridges.http.api.operators import operator_of, origin_of
from order_sagas.bridges.http.api.request_body import read_body
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import ActionReceipt, SagaReceipt
from order_sagas.bridges.http.api.trace_context import in_trace_of
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.problems import FieldError, Problem, wrong_field
from order_sagas.bridges.http.server.authentication import LOCAL
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.intake.intake import Verdict
from order_sagas.bridges.intake.message_schema import InvalidMessageError, read_message
from order_sagas.bridges.intake.order_schema import InvalidOrderError, check_order
from order_sagas.bridges.intake.saga_starts import SagaStarts
from order_sagas.bridges.operations import (
    NoSuchMessageError,
    NoSuchSagaError,
    NotPossibleError,
    Origin,
)
from order_sagas.bridges.operations.signals import SignalOperations

PATH = "/api/v1/sagas"
_WHY = Parameter(
    "why",
    query.text_schema(query.LONGEST_REASON),
    "The reason, for the log of operators' actions.",
)

_REFUSED = {
    Verdict.CONFLICT: (409, "the saga was started before with other content"),
    Verdict.TOO_LARGE: (413, "the message is larger than a record may be"),
}


class SagaStartRoutes:
    """Endpoints that write messages to the log: those that start sagas, and signals."""

    def __init__(self, dependencies: Dependencies, options: HttpOptions) -> None:
        self._dependencies = dependencies
        self._options = options
        self._signals = SignalOperations(dependencies.database, dependencies.registry)

    def signals(self) -> list[Endpoint]:
        """Return the endpoint of signals, whose path must come before those of sagas."""
        return [
            action_endpoint(
                PATH + "/{id:path}/signals/{message}",
                self._signal,
                "Send a saga a signal that it waits for",
                signal_body(self._dependencies.registry),
                _WHY,
            )
        ]

    def starts(self) -> list[Endpoint]:
        """Return the endpoint that starts sagas, on the path that shows one."""
        return [
            Endpoint(
                "POST",
                PATH + "/{id:path}",
                Role.SUBMIT,
                self._start,
                "Start a saga of the definition that is named; it is stored before the response",
                {201: SagaReceipt, 200: SagaReceipt},
                body=start_body(self._dependencies.registry),
                problems=ANY_REQUEST | {409},
            )
        ]

    async def _start(self, request: Request) -> Response:
        name, registry = request.path_params["id"], self._dependencies.registry
        saga = registry.newest.get(name)
        if saga is None:
            raise Problem(404, f"there is no saga {name!r}; there are {listed(registry.newest)}")
        start = in_trace_of(read_start(saga, await self._body(request)), request)
        caller = request.scope["caller"]
        submitter = "" if caller is LOCAL else caller.name
        verdict = await in_thread(self._take, saga, start, submitter)
        if verdict in _REFUSED:
            raise Problem(*_REFUSED[verdict])
        saga_id = saga_id_of(name, start.order_id)
        receipt = SagaReceipt(saga_id=saga_id, saga=name, order_id=start.order_id)
        where = {"Location": f"{PATH}/{quote(saga_id, safe='')}"}
        return answer(receipt, 201 if verdict is Verdict.ACCEPTED else 200, where)

    def _take(self, saga: Saga[Any], start: Message, submitter: str) -> Verdict:
        with self._dependencies.open_log() as log:
            return SagaStarts(log, saga).take([start], submitter)[0]

    async def _signal(self, request: Request) -> Response:
        saga_id, name = query.order_id_of(request), request.path_params["message"]
        raw = await self._body(request, optional=True)
        by, why = operator_of(request), query.text(request, "why", query.LONGEST_REASON)
        origin = origin_of(request)
        return answer(await in_thread(self._send, saga_id, name, raw, by, why, origin), 202)

    def _send(
        self, saga_id: str, name: str, raw: bytes, by: str, why: str, origin: Origin
    ) -> ActionReceipt:
        try:
            kind = self._signals.message_of(saga_id, name)
        except (NoSuchSagaError, NoSuchMessageError) as error:
            raise Problem(404, str(error)) from None
        except (NotPossibleError, UnknownSagaError) as error:
            raise Problem(409, str(error)) from None
        order_id = saga_id.partition("/")[2]
        fields = _object(raw or b"{}")
        signal = _message(kind, {"orderId": order_id, **fields})
        if signal.order_id != order_id:
            raise wrong_field("#/orderId", f"it has to be {order_id}, or to be left out")
        with self._dependencies.open_log() as log:
            sent = self._signals.send(saga_id, signal, log, by, why, origin)
        return ActionReceipt(
            action=name, by=by, workers=sent.running, request=sent.request, saga_id=saga_id
        )

    async def _body(self, request: Request, *, optional: bool = False) -> bytes:
        options = self._options
        return await read_body(request, options.max_body, options.timeout, optional=optional)


def read_start(saga: Saga[Any], raw: bytes) -> Message:
    """Return the message in a body that starts a saga.

    Raises Problem: 400 if it is not JSON, 422 if it does not validate.
    """
    fields = _object(raw)
    if saga.starts_on is not OrderCreated:
        return _message(saga.starts_on, fields)
    try:
        return check_order(fields)
    except InvalidOrderError as error:
        words = str(error)
        pointer = query.pointer_of(error.field, words)
        detail = words.removeprefix(f"{error.field}: ")
        raise Problem(422, words, errors=[FieldError(detail, pointer=pointer)]) from None


def _object(raw: bytes) -> dict[str, Any]:
    # To msgspec Any is a type.
    fields = query.convert(raw, Any)  # pyright: ignore[reportArgumentType]
    if not isinstance(fields, dict):
        raise wrong_field("#", "expected a JSON object")
    if repeated := query.repeated_name(raw):
        raise wrong_field(f"#/{repeated}", "the field is given more than once")
    return fields


def _message(kind: type[Message], fields: dict[str, Any]) -> Message:
    try:
        return read_message(kind, fields)
    except InvalidMessageError as error:
        pointer = query.pointer_of(error.field, error.problem)
        errors = [FieldError(error.problem, pointer=pointer)]
        raise Problem(422, str(error), errors=errors) from None
