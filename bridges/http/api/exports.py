"""`/api/v1/exports`: whole lists as CSV or JSON Lines, streamed a page at a time."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.action_schemas import OperatorActionView
from order_sagas.bridges.http.api.dead_letters import FILTER as OF_LETTERS
from order_sagas.bridges.http.api.dead_letters import DeadLetterRoutes
from order_sagas.bridges.http.api.dead_letters import filter_of as letters_of
from order_sagas.bridges.http.api.endpoint import (
    Content,
    Endpoint,
    Handle,
    Parameter,
    read_endpoint,
)
from order_sagas.bridges.http.api.operator_actions import FILTER, OperatorActionRoutes, filter_of
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.redacted_views import redacted_view
from order_sagas.bridges.http.api.schemas import DeadLetterView, ListedSaga, OrderSummary, View
from order_sagas.bridges.http.api.search_params import (
    OF_ORDERS,
    OF_SAGAS,
    cause_of,
    order_search,
    saga_search,
)
from order_sagas.bridges.http.problems import wrong_parameter
from order_sagas.bridges.http.server.caller_slots import CallerSlots, SlotStream
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.operations.csv_cells import csv_lines
from order_sagas.bridges.storage.queries import ORDER_STATUSES, SAGA_STATUSES

PATH = "/api/v1/exports"
PAGE = 500
"""Rows of one export that are in memory at once."""
MOST = 12
"""Maximum number of exports that are sent at once."""
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
"""Media types, by the parameter `format`."""

_FORMAT = Parameter("format", {"type": "string", "enum": [*FORMATS]}, "The format; CSV if missing.")

Pages = Iterator[list[Any]]


class ExportRoutes:
    """Endpoints of exports."""

    def __init__(
        self, reader: ReadModel, actions: OperatorActionRoutes, letters: DeadLetterRoutes
    ) -> None:
        self._reader = reader
        self._actions = actions
        self._letters = letters
        self._slots = CallerSlots(MOST, "exports are under way")

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        statuses = query.status_parameter
        return [
            _export("orders", self._orders, (statuses(ORDER_STATUSES), *OF_ORDERS)),
            _export("sagas", self._sagas, (statuses(SAGA_STATUSES), *OF_SAGAS)),
            _export("operator-actions", self._log, FILTER),
            _export("dead-letters", self._dead_letters, OF_LETTERS, order="oldest"),
        ]

    async def _orders(self, request: Request) -> Response:
        which = order_search(request, query.statuses(request, ORDER_STATUSES))

        def pages() -> Pages:
            after: int | None = None
            while True:
                page = self._reader.find_orders(which, PAGE, after)
                yield page.orders
                if page.next is None:
                    return
                after = int(page.next)

        return self._stream(request, "orders", OrderSummary, pages)

    async def _sagas(self, request: Request) -> Response:
        which = saga_search(request, query.statuses(request, SAGA_STATUSES))
        cause = cause_of(request)

        def pages() -> Pages:
            after: tuple[int, str] | None = None
            while True:
                page = self._reader.find_sagas(which, PAGE, after, cause)
                yield page.sagas
                if page.next is None:
                    return
                number, _, name = page.next.partition(".")
                after = int(number), name

        return self._stream(request, "sagas", ListedSaga, pages)

    async def _log(self, request: Request) -> Response:
        which = filter_of(request)

        def pages() -> Pages:
            after: int | None = None
            while True:
                page = self._actions.page(which, PAGE, after)
                yield page.actions
                if page.next is None:
                    return
                after = int(page.next)

        return self._stream(request, "operator-actions", OperatorActionView, pages)

    def _stream(
        self, request: Request, name: str, kind: type[View], pages: Callable[[], Pages]
    ) -> Response:
        wanted = request.query_params.get("format", "csv")
        if wanted not in FORMATS:
            raise wrong_parameter("format", f"it has to be one of {', '.join(FORMATS)}")
        where = {"Content-Disposition": f'attachment; filename="{name}.{wanted}"'}
        if request.method == "HEAD":
            return Response(headers=where, media_type=FORMATS[wanted])
        caller = request.scope["caller"]
        rows = pages() if caller.role & Role.ACT else map(redacted_view, pages())
        text = _as_csv(kind, rows) if wanted == "csv" else _as_lines(rows)
        slot = self._slots.taken(caller)
        return SlotStream(_on_threads(text), slot, headers=where, media_type=FORMATS[wanted])

    async def _dead_letters(self, request: Request) -> Response:
        which, everything = letters_of(request), query.flag(request, "all")

        def pages() -> Pages:
            after: int | None = None
            while True:
                page = self._letters.page(which, PAGE, after, everything)
                yield page.dead_letters
                if page.next is None:
                    return
                after = int(page.next)

        return self._stream(request, "dead-letters", DeadLetterView, pages)


def _export(
    name: str, handle: Handle, parameters: tuple[Parameter, ...], order: str = "newest"
) -> Endpoint:
    return read_endpoint(
        f"{PATH}/{name}",
        handle,
        f"All {name.replace('-', ' ')} that match, the {order} first, as CSV or JSON Lines",
        Content({"type": "string"}, "text/csv", other_media_types=(FORMATS["jsonl"],)),
        _FORMAT,
        *parameters,
    )


async def _on_threads(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await in_thread(next, parts, None)) is not None:
        yield part


def _as_lines(pages: Pages) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for page in pages:
        yield b"".join(encoder.encode(row) + b"\n" for row in page)


def _as_csv(kind: type[View], pages: Pages) -> Iterator[bytes]:
    fields = kind.__struct_fields__
    yield csv_lines([kind.__struct_encode_fields__]).encode()
    for page in pages:
        yield csv_lines([_cell(getattr(row, field)) for field in fields] for row in page).encode()


def _cell(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value
