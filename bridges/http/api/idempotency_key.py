"""The Idempotency-Key of a request: repeating a key always yields the same order.

Only a hash of the caller's name and the key is stored, so keys of different callers never collide.
"""

import hashlib
import hmac
import re
import uuid

from starlette.requests import Request

from order_sagas.bridges.http.problems import FieldError, Problem

HEADER = "Idempotency-Key"

_ORDERS = uuid.UUID("5a3f9d52-5d1c-4f0e-9a53-1c6a1c0de5a9")
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


def client_key(request: Request) -> str:
    """Return the stored form of the request's key, or "" if it has none.

    Raises Problem 400 unless the key is 1 to 255 printable ASCII characters.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return ""
    # The IETF draft specifies a quoted string; most clients send the bare key.
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not _KEY.fullmatch(key):
        words = "it has to be 1 to 255 printable ASCII characters"
        raise Problem(400, f"{HEADER}: {words}", errors=[FieldError(words, parameter=HEADER)])
    owner = request.scope["caller"].name
    return hashlib.blake2b(f"{owner}\n{key}".encode(), digest_size=16).hexdigest()


def order_id_for(key: str, secret: bytes) -> str:
    """Return an id for an order without one: derived from the key, or random without a key.

    Without the secret of the installation, the id cannot be computed and used first.
    """
    if not key:
        return str(uuid.uuid4())
    digest = hmac.digest(secret, key.encode(), "sha256")
    return str(uuid.UUID(bytes=digest[:16], version=4))


def former_order_id_for(key: str) -> str:
    """Return the id that version 0.2 derived from the key: a request may be repeated later."""
    return str(uuid.uuid5(_ORDERS, key))
