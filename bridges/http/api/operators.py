"""The name and origin of a requested action, for histories and the log of operators' actions."""

import re
from urllib.parse import unquote

from starlette.requests import Request

from order_sagas.bridges.http.problems import FieldError, Problem
from order_sagas.bridges.http.server.authentication import LOCAL
from order_sagas.bridges.operations import API, PAGE, Origin

NAME = "x-operator"
"""Header with the operator's name, percent-encoded; only read if no tokens are set."""
CLIENT = "x-client"
"""Header of the page, with the value `page`."""
LONGEST_NAME = 200
"""Maximum number of characters of a name."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")


def operator_of(request: Request) -> str:
    """Return the name of the token, or without tokens the name in the header, if there is one.

    Raises Problem 422 if the header has no valid name.
    """
    caller = request.scope["caller"]
    given = request.headers.get(NAME)
    if caller is not LOCAL or given is None:
        return str(caller.name)
    name = unquote(given).strip()
    if not name or len(name) > LONGEST_NAME or _CONTROL.search(name):
        words = f"it has to be a name of at most {LONGEST_NAME} characters, percent-encoded"
        raise Problem(
            422, f"X-Operator: {words}", errors=[FieldError(words, parameter="X-Operator")]
        )
    return name


def origin_of(request: Request, number: str = "") -> Origin:
    """Return how the action was asked for; `number` is the id of the request that it belongs to."""
    via = PAGE if request.headers.get(CLIENT) == "page" else API
    return Origin(via, number) if number else Origin(via)
