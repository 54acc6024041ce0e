"""Errors as clients see them: problem details (RFC 9457), whatever went wrong."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil

import msgspec
from starlette.responses import Response

from order_sagas.bridges.errors import BridgeError

MEDIA_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one part of a request: of its body, or of its query."""

    detail: str
    pointer: str = ""
    """A JSON pointer into the body, as in `#/lines/0/quantity`."""
    parameter: str = ""
    """The name of a query parameter or a header."""


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is an error. Its `type` is `about:blank`, and left out."""

    title: str
    status: int
    detail: str = ""
    errors: Sequence[FieldError] = ()


class Problem(BridgeError):
    """A request that is answered with an error."""

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
        """The problem details, as JSON."""
        details = ProblemDetails(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            errors=self.errors,
        )
        return msgspec.json.encode(details)

    def response(self) -> Response:
        """The answer."""
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


def _again(
    status: int, detail: str, errors: Sequence[FieldError], headers: Mapping[str, str]
) -> Problem:
    return Problem(status, detail, errors=errors, headers=headers)


def retry_later(status: int, detail: str, seconds: float) -> Problem:
    """A problem that goes away by itself, in about so many seconds."""
    return Problem(status, detail, headers={"Retry-After": str(max(1, ceil(seconds)))})


def wrong_field(pointer: str, detail: str) -> Problem:
    """One field of the body is wrong."""
    return Problem(422, f"{pointer}: {detail}", errors=[FieldError(detail, pointer=pointer)])


def wrong_parameter(name: str, detail: str) -> Problem:
    """One parameter of the query, or a header, is wrong."""
    return Problem(422, f"{name}: {detail}", errors=[FieldError(detail, parameter=name)])
