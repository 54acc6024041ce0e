"""Every endpoint with every role: read from the endpoint table, so that none is forgotten."""

from collections.abc import Iterator

import httpx
import pytest

from order_sagas.bridges.http.server.tokens import Role
from tests.support.http_service import TOKENS, serving, tokens_file

NOBODY, STRANGER = "nobody", "stranger"
ROLES = {
    NOBODY: Role.NONE, STRANGER: Role.NONE,
    "web": Role.SUBMIT, "reader": Role.READ, "shop": Role.OPERATE,
}  # fmt: skip
OPEN = {"/health/live", "/health/ready", "/openapi.json"}
SUBMITS = {("POST", "/api/v1/orders"), ("POST", "/api/v1/sagas/{id}")}
BOTH = {("GET", "/api/v1/orders/{id}")}
"""Permissions of a token that submits, and of one that reads as well."""


@pytest.fixture
def api(system, tmp_path) -> Iterator[httpx.Client]:
    """A client without a token, of an API that requires one."""
    with serving(system.settings, rate=0, tokens=tokens_file(tmp_path)) as client:
        yield client


def expected(method: str, path: str) -> Role:
    """The permissions of which an endpoint needs one: by its method, or an exception above."""
    if path in OPEN:
        return Role.NONE
    if (method, path) in SUBMITS:
        return Role.SUBMIT
    if (method, path) in BOTH:
        return Role.SUBMIT | Role.READ
    if path == "/api/v1/caller":
        return Role.OPERATE
    return Role.READ if method == "GET" else Role.ACT


def endpoints(api: httpx.Client) -> list[tuple[str, str]]:
    """Each method and path of the description."""
    paths = api.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def status(api: httpx.Client, method: str, path: str, who: str) -> int:
    """The status of a response. `nobody` has no token, `stranger` an unknown one."""
    token = TOKENS[who][1] if who in TOKENS else "os_wrong"
    headers = {} if who == NOBODY else {"Authorization": f"Bearer {token}"}
    path = path.replace("{number}", "1").replace("{id}", "o-1").replace("{", "").replace("}", "")
    # No valid body: what is permitted changes nothing.
    with api.stream(method, path, headers=headers, content=b"x") as response:
        return response.status_code


def test_every_endpoint_requires_its_role(api: httpx.Client) -> None:
    """It answers 401 without a known token, 403 without the permission."""
    table = endpoints(api)
    wrong = []
    for method, path in table:
        role = expected(method, path)
        for who, has in ROLES.items():
            found = status(api, method, path, who)
            refused = 401 if not has else 403
            if who == STRANGER and not path.startswith("/health/"):
                fits = found == 401  # a wrong token is refused, also where none is needed
            elif role is Role.NONE or has & role:
                fits = found not in (401, 403)
            else:
                fits = found == refused
            if not fits:
                wrong.append((method, path, who, found))

    assert [] == wrong
    assert {*SUBMITS, *BOTH} <= {*table}
    assert len(table) >= 40
