"""Reads request bodies, with checks of content type, size and time."""

import asyncio
from typing import TypeVar

from starlette.requests import Request

from order_sagas.bridges.http.api.query_params import convert
from order_sagas.bridges.http.config import HttpOptions
from order_sagas.bridges.http.problems import Problem

T = TypeVar("T")

CLOSE = {"Connection": "close"}
"""Closes the connection, so that the unread rest of the body need not be received."""


async def read_body(
    request: Request, max_body: int, timeout: float, *, optional: bool = False
) -> bytes:
    """Return the body.

    Raises Problem: 400 (empty), 408 (not received within `timeout` seconds), 413 (more than
    `max_body` bytes) or 415 (content type is not JSON).

    An `optional` body may be empty, but the content type is required even then: a browser does not
    send `application/json` cross-site without a CORS preflight.
    """
    _check_type(request)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_body:
        raise _too_large(max_body)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_body:
                    raise _too_large(max_body)
    except TimeoutError:
        words = f"the body did not arrive within {timeout:g} s"
        raise Problem(408, words, headers=CLOSE) from None
    if not body and not optional:
        raise Problem(400, "the body is empty")
    return bytes(body)


async def read_optional(request: Request, options: HttpOptions, kind: type[T]) -> T:
    """Return the body of an action, which may be empty, as a struct of `kind`.

    Raises Problem as `read_body`, and 422 for invalid content.
    """
    raw = await read_body(request, options.max_body, options.timeout, optional=True)
    body: T = convert(raw or b"{}", kind)
    return body


def _check_type(request: Request) -> None:
    said = request.headers.get("content-type", "")
    kind, _, more = said.partition(";")
    charset = more.strip().lower().replace('"', "").replace(" ", "")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Problem(415, "send application/json, in UTF-8", headers={**CLOSE, **ACCEPT})
    if encoding != "identity":
        raise Problem(415, "send the body as it is, without an encoding", headers={**CLOSE})


ACCEPT = {"Accept-Post": "application/json"}


def _too_large(max_body: int) -> Problem:
    return Problem(413, f"a body has at most {max_body:,} bytes", headers=CLOSE)
