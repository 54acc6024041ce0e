"""The Idempotency-Key of a request: the same key brings the same order, whatever happens between.

Of the key, only a hash is kept, together with who used it: two clients may choose the same.
"""

import hashlib
import re
import uuid

from starlette.requests import Request

from order_sagas.bridges.http.problems import FieldError, Problem

HEADER = "Idempotency-Key"

_ORDERS = uuid.UUID("5a3f9d52-5d1c-4f0e-9a53-1c6a1c0de5a9")
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


def client_key(request: Request) -> str:
    """What stands for the key in the database; empty if there is none. Raises Problem: 400."""
    given = request.headers.get(HEADER)
    if given is None:
        return ""
    # The draft has a quoted string there; most clients send it bare.
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not _KEY.fullmatch(key):
        words = "it has to be 1 to 255 printable ASCII characters"
        raise Problem(400, f"{HEADER}: {words}", errors=[FieldError(words, parameter=HEADER)])
    owner = request.scope["caller"].name
    return hashlib.blake2b(f"{owner}\n{key}".encode(), digest_size=16).hexdigest()


def order_id_for(key: str) -> str:
    """The id of an order that has none of its own: the same one for the same key."""
    return str(uuid.uuid5(_ORDERS, key) if key else uuid.uuid4())
