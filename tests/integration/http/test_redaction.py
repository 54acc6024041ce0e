"""Card numbers and mail addresses in what people and other systems wrote, by role."""

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
    """What somebody is told by each endpoint that reads, and by the first event of the stream."""
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


def test_readers_are_told_no_secret_by_any_endpoint(api: httpx.Client) -> None:
    """Nor by exports and the event stream. Ids are told as they are."""
    told = everything(api, "reader")
    masked = {path for path, text in told.items() if MASKED in text}

    assert [] == [path for path, text in told.items() if "4111 1111" in text or "bob@" in text]
    assert {
        "/api/v1/orders", "/api/v1/orders/{id}", "/api/v1/exports/orders", "/api/v1/events",
        "/api/v1/sagas", "/api/v1/sagas/{id}", "/api/v1/exports/sagas",
        "/api/v1/dead-letters", "/api/v1/dead-letters/{number}",
        "/api/v1/operator-actions", "/api/v1/exports/operator-actions",
    } <= masked  # fmt: skip


def test_who_may_act_sees_what_was_written(api: httpx.Client) -> None:
    """To act on it. An event stream is one for all."""
    told = everything(api, "shop")

    assert SECRET == json.loads(told["/api/v1/dead-letters/{number}"])["value"]
    assert SECRET in told["/api/v1/exports/operator-actions"]
    assert SECRET in told["/api/v1/sagas/{id}"]
    assert SECRET not in told[UNENDING]
