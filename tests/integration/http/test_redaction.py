"""Redaction of card numbers and mail addresses in free text, by role."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import TOKENS, serving, tokens_file

SECRET = "card 4111 1111 1111 1111 of bob@example.com"
MASKED = "card [card ending 1111] of [address]"
UNENDING = "/api/v1/events"
PAUSE = "/api/v1/services/payments/pause"


@pytest.fixture
def api(system: EmbeddedSystem, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client without a token; the secret is in a dead letter, in reasons and in an action."""
    system.start()
    with serving(system.settings, tokens=tokens_file(tmp_path)) as api:
        system.put_raw("order-events", SECRET.encode())
        for path in (PAUSE, "/api/v1/sagas/A/cancel", "/api/v1/services/payments/unpause", PAUSE):
            done = api.post(path, json={"why": SECRET}, headers=bearer("shop"))
            assert 202 == done.status_code
            system.put(an_order("A"))
        yield api


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name][1]}"}


def everything(api: httpx.Client, name: str) -> dict[str, str]:
    """The responses of every reading endpoint, and the first event of the stream, for a caller."""
    paths = api.get("/openapi.json").json()["paths"]
    [letter] = api.get("/api/v1/dead-letters", headers=bearer(name)).json()["deadLetters"]
    found = {}
    for path in [path for path, methods in paths.items() if "get" in methods]:
        where = path.replace("{number}", str(letter["number"])).replace("{id}", "A")
        headers = bearer(name)
        if path == UNENDING:
            with api.stream("GET", path, headers=headers) as stream:
                found[path] = next(line for line in stream.iter_lines() if "data:" in line)
        else:
            found[path] = api.get(where, headers=headers, params=MORE.get(path)).text
    return found


MORE = {"/api/v1/sagas/{id}": {"messages": "true"}, "/api/v1/dead-letters": {"all": "true"}}


def test_no_endpoint_shows_a_secret_to_readers(api: httpx.Client) -> None:
    """Nor do exports and the event stream. Ids are not redacted."""
    texts = everything(api, "reader")
    masked = {path for path, text in texts.items() if MASKED in text}

    assert [] == [path for path, text in texts.items() if "4111 1111" in text or "bob@" in text]
    assert {
        "/api/v1/orders", "/api/v1/orders/{id}", "/api/v1/exports/orders", "/api/v1/events",
        "/api/v1/sagas", "/api/v1/sagas/{id}", "/api/v1/exports/sagas",
        "/api/v1/dead-letters", "/api/v1/dead-letters/{number}",
        "/api/v1/operator-actions", "/api/v1/exports/operator-actions",
    } <= masked  # fmt: skip


def test_operators_see_unredacted_text(api: httpx.Client) -> None:
    """They need it to act. The event stream is the same for all roles, so it is redacted."""
    texts = everything(api, "shop")

    assert SECRET == json.loads(texts["/api/v1/dead-letters/{number}"])["value"]
    assert SECRET in texts["/api/v1/exports/operator-actions"]
    assert SECRET in texts["/api/v1/sagas/{id}"]
    assert SECRET not in texts[UNENDING]
