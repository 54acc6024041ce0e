"""Parsers of request parameters and bodies. Each raises Problem (4xx) for invalid input."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from starlette.requests import Request

from order_sagas.bridges.http.api.endpoint import Parameter
from order_sagas.bridges.http.problems import Problem, wrong_field, wrong_parameter
from order_sagas.bridges.records import repeated_names

LONGEST_PAGE = 1000
"""Maximum `limit` of a page."""
USUAL_PAGE = 50
"""Default `limit` of a page."""
LONGEST_WAIT = 60.0
"""Maximum seconds that a request may wait for the end of an order."""
LARGEST = 2**63 - 1
"""Largest integer that the databases store."""
LONGEST_ID = 200
"""Maximum number of characters of an order id."""
LONGEST_REASON = 1000
"""Maximum number of characters of the reason of an action."""

Reason = Annotated[
    str,
    msgspec.Meta(
        max_length=LONGEST_REASON,
        pattern=r"\A[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*\Z",
        description="The reason, in the history for good: no control characters.",
    ),
]


def text_schema(longest: int = 5 * LONGEST_ID) -> dict[str, Any]:
    """Return the JSON schema of text without control characters, of at most `longest`."""
    return {"type": "string", "maxLength": longest, "pattern": r"^[^\u0000-\u001f\u007f]*$"}


LIMIT = Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": USUAL_PAGE},
    "Maximum number of items on the page.",
)
AFTER_NUMBER = Parameter("after", {"type": "integer"}, "The `next` of the page before.")
AFTER_NAME = Parameter("after", {"type": "string"}, "The `next` of the page before.")
PREFIX = Parameter(
    "prefix",
    text_schema(LONGEST_ID),
    "Only those whose ids begin with it.",
)
WAIT = Parameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT},
    "Seconds to wait for the end of the order.",
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def status_parameter(known: Sequence[str]) -> Parameter:
    """Return the description of `status`, which takes these statuses."""
    schema = {"type": "array", "items": {"type": "string", "enum": [*known]}}
    return Parameter("status", schema, "Only those with one of these.", explode=True)


def order_id_of(request: Request, name: str = "id") -> str:
    """Return the id in the path. Raises Problem 404 if it contains control characters."""
    value = str(request.path_params[name])
    if _CONTROL.search(value):
        raise Problem(404, "there is no such id")
    return value


def statuses(request: Request, known: Sequence[str]) -> list[str]:
    """Return the values of `status`, which may be repeated or comma-separated."""
    wanted = [
        each.strip().upper()
        for text in request.query_params.getlist("status")
        for each in text.split(",")
        if each.strip()
    ]
    if strange := [each for each in wanted if each not in known]:
        raise wrong_parameter("status", f"{strange[0]!r} is none of {', '.join(known)}")
    return wanted


def one_of(request: Request, name: str, known: Sequence[str]) -> list[str]:
    """Return the values of a parameter, which may be repeated, each of which has to be known."""
    wanted = request.query_params.getlist(name)
    if strange := [each for each in wanted if each not in known]:
        raise wrong_parameter(name, f"{strange[0]!r} is none of {', '.join(known)}")
    return wanted


def text(request: Request, name: str, longest: int = 5 * LONGEST_ID) -> str:
    """Return a text; "" if it is missing."""
    found = request.query_params.get(name, "")
    if len(found) > longest or _CONTROL.search(found):
        words = f"it has to be text of at most {longest} characters, without control characters"
        raise wrong_parameter(name, words)
    return found


def limit(request: Request) -> int:
    """Return `limit`, the number of items on a page."""
    return whole(request, "limit", 1, LONGEST_PAGE, USUAL_PAGE)


def number(request: Request, name: str) -> int | None:
    """Return a numeric cursor, or None if it is missing."""
    if name not in request.query_params:
        return None
    return whole(request, name, -LARGEST, LARGEST, 0)


def numbered_name(request: Request, name: str) -> tuple[int, str] | None:
    """Return a cursor of the form `number.name`, or None if it is missing."""
    text = request.query_params.get(name)
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,18})\.([^\x00-\x1f\x7f]+)", text, re.ASCII)
    if found is None:
        raise wrong_parameter(name, "it has to be the `next` of a page before")
    return int(found[1]), found[2]


def prefix(request: Request) -> str:
    """Return `prefix`, the beginning of order ids; "" if it is missing."""
    text = request.query_params.get("prefix", "")
    if len(text) > LONGEST_ID or _CONTROL.search(text):
        words = f"it has to be the beginning of an id, {LONGEST_ID} characters at most"
        raise wrong_parameter("prefix", words)
    return text


def wait(request: Request) -> float:
    """Return `wait` in seconds; 0 if it is missing."""
    text = request.query_params.get("wait")
    if text is None:
        return 0.0
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII) or float(text) > LONGEST_WAIT:
        raise wrong_parameter("wait", f"it has to be seconds, from 0 to {LONGEST_WAIT:g}")
    return float(text)


def flag(request: Request, name: str, *, usual: bool = False) -> bool:
    """Return a boolean parameter, `true` or `false`; `usual` if it is missing."""
    text = request.query_params.get(name, "true" if usual else "false")
    if text not in ("true", "false"):
        raise wrong_parameter(name, "it has to be true or false")
    return text == "true"


def whole(request: Request, name: str, low: int, high: int, usual: int) -> int:
    """Return a whole number from `low` to `high`; `usual` if it is missing."""
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not re.fullmatch(r"-?\d{1,19}", text, re.ASCII) or not low <= int(text) <= high:
        raise wrong_parameter(name, f"it has to be a whole number from {low} to {high}")
    return int(text)


def convert(raw: bytes, kind: type[Any]) -> Any:
    """Decode the body as a struct. Raises Problem: 400 if not JSON, 422 if it does not validate."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        text = _NO_CONTROL.sub("text without control characters", text)
        raise wrong_field(pointer_of(path.rstrip("`").lstrip("."), text), text) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None


def repeated_name(raw: bytes) -> str:
    """Return a name that an object in a JSON text has more than once, or ""."""
    try:
        return repeated_names.repeated_name(raw)
    except RecursionError:
        raise Problem(400, "the body is nested too deeply") from None


_NO_CONTROL = re.compile(r"`str` matching regex '\\\\A\[\^.*", re.DOTALL)
_MISSING = re.compile(r"missing required field [`']?(\w+)")


def pointer_of(field: str, detail: str = "") -> str:
    """Return a JSON pointer for a path such as `lines[0].quantity`.

    If `detail` reports a missing required field, the pointer names that field.
    """
    parts = [part for part in re.split(r"[.\[\]]+", field) if part]
    if missing := _MISSING.search(detail):
        parts.append(missing[1])
    return "#" + "".join(f"/{part}" for part in parts)
