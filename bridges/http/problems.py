"""Error responses: every error is answered with problem details (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil

import msgspec
from starlette.responses import Response

from order_sagas.bridges.errors import BridgeError

MEDIA_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error in one part of a request: a body field, a query parameter or a header."""

    detail: str
    pointer: str = ""
    """JSON pointer into the body, such as `#/lines/0/quantity`."""
    parameter: str = ""
    """Name of the query parameter or header."""


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of every error response. Its `type` is always `about:blank`, and omitted."""

    title: str
    status: int
    detail: str = ""
    errors: Sequence[FieldError] = ()


class Problem(BridgeError):
    """Raised to answer a request with an error status and problem details."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.status, self.detail, self.errors, self.headers)

    def body(self) -> bytes:
        """Return the problem details as JSON."""
        details = ProblemDetails(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
        )
        return msgspec.json.encode(details)

    def response(self) -> Response:
        """Return the error response."""
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


def _again(
    status: int, detail: str, errors: Sequence[FieldError], headers: Mapping[str, str]
) -> Problem:
    return Problem(status, detail, errors=errors, headers=headers)


def retry_later(status: int, detail: str, seconds: float) -> Problem:
    """Return a problem for a temporary condition, with `Retry-After: seconds` (at least 1)."""
    return Problem(status, detail, headers={"Retry-After": str(max(1, ceil(seconds)))})


def wrong_field(pointer: str, detail: str) -> Problem:
    """Return a 422 problem for one invalid field of the body."""
    return Problem(422, f"{pointer}: {detail}", errors=[FieldError(detail, pointer=pointer)])


def wrong_parameter(name: str, detail: str) -> Problem:
    """Return a 422 problem for one invalid query parameter or header."""
    return Problem(422, f"{name}: {detail}", errors=[FieldError(detail, parameter=name)])
