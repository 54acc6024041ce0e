"""Tokens, roles, rate limits, and requests that are refused without tokens."""

import json
import os

import pytest

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http import HttpError
from order_sagas.bridges.http.server.tokens import hash_of
from tests.support.http_service import TOKENS, an_order_body, serving, tokens_file
from tests.support.waiting import wait_until

READS = (
    "/api/v1/orders", "/api/v1/orders/o-1", "/api/v1/sagas", "/api/v1/sagas/o-1",
    "/api/v1/stock", "/api/v1/dead-letters", "/api/v1/dead-letters/1", "/metrics",
)  # fmt: skip
OPERATIONS = (
    "/api/v1/orders", "/api/v1/sagas/o-1/retry", "/api/v1/sagas/o-1/skip",
    "/api/v1/sagas/o-1/resume", "/api/v1/sagas/o-1/cancel",
    "/api/v1/dead-letters/1/replay", "/api/v1/dead-letters/1/discard",
)  # fmt: skip
OPEN = ("/health/live", "/health/ready", "/openapi.json")


@pytest.fixture
def guarded(system, tmp_path):
    """A client without a token, of an API that requires one."""
    with serving(system.settings, tokens=tokens_file(tmp_path)) as client:
        yield client


def bearer(name: str) -> dict[str, str]:
    """The headers of a caller; `nobody` has none, `stranger` an unknown token."""
    if name == "nobody":
        return {}
    return {"Authorization": f"Bearer {TOKENS[name][1] if name in TOKENS else 'os_wrong'}"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("who", ["nobody", "stranger", "reader", "shop"])
def test_each_role_may_do_what_it_says(guarded, who, method):
    """No token, no access; a reader reads; only operators change anything."""
    refused = {"nobody": 401, "stranger": 401, "reader": 403 if method == "POST" else None}.get(who)
    for path in READS if method == "GET" else OPERATIONS:
        response = guarded.request(
            method, path, headers=bearer(who), json={} if method == "POST" else None
        )
        allowed = response.status_code not in (401, 403)
        assert allowed == (refused is None), path
        if refused:
            assert refused == response.status_code
            assert "application/problem+json" == response.headers["Content-Type"]
        if refused == 401:
            assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_submitter_sees_only_its_own_orders(guarded):
    """Not those of another token, and no other data."""
    sent = guarded.post("/api/v1/orders", json=an_order_body("w-1"), headers=bearer("web"))
    guarded.post("/api/v1/orders", json=an_order_body("a-1"), headers=bearer("app"))

    def statuses(who):
        paths = ("/api/v1/orders/w-1", "/api/v1/orders/a-1", "/api/v1/orders/none")
        return [guarded.get(path, headers=bearer(who)).status_code for path in paths]

    assert 201 == sent.status_code
    assert [200, 404, 404] == statuses("web")
    assert [404, 200, 404] == statuses("app")
    assert [200, 200, 404] == statuses("reader") == statuses("shop")


def test_a_submitter_has_no_other_permission(guarded):
    """The token of a shop does not permit the actions of an operator."""
    reads = [path for path in READS if path != "/api/v1/orders/o-1"]
    operations = [path for path in OPERATIONS if path != "/api/v1/orders"]
    answers = [guarded.get(path, headers=bearer("web")).status_code for path in reads]
    answers += [guarded.post(p, json={}, headers=bearer("web")).status_code for p in operations]

    assert {403} == {*answers}


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("who", ["nobody", "reader", "shop"])
def test_probes_and_the_description_need_no_token(guarded, who, path):
    """Probes have no token, and the description contains no secrets."""
    assert 200 == guarded.get(path, headers=bearer(who)).status_code


@pytest.mark.parametrize(
    "said", ["Basic os_read", "Bearer", "Bearer os_read x", "os_read", "Bearer OS_READ"]
)
def test_an_invalid_authorization_header_is_refused(guarded, said):
    """Also one that is almost a bearer token."""
    assert 401 == guarded.get("/api/v1/stock", headers={"Authorization": said}).status_code


def test_the_scheme_may_be_written_in_any_case(guarded):
    """As RFC 9110 says."""
    headers = {"Authorization": "bearer os_read"}

    assert 200 == guarded.get("/api/v1/stock", headers=headers).status_code


def test_a_token_removed_from_the_file_is_refused_at_once(system, tmp_path):
    """An added token is accepted; a file that cannot be read changes nothing."""
    file = tokens_file(tmp_path)
    with serving(system.settings, token="os_read", tokens=file) as client:
        before = client.get("/api/v1/stock").status_code
        file.write_text("no tokens [")
        meanwhile = client.get("/api/v1/stock").status_code
        file.write_text(f'{{"other": {{"role": "read", "sha256": "{hash_of("os_new")}"}}}}')
        old = client.get("/api/v1/stock").status_code
        new = client.get("/api/v1/stock", headers={"Authorization": "Bearer os_new"}).status_code

    assert (200, 200, 401, 200) == (before, meanwhile, old, new)


def test_without_tokens_only_this_machine_is_served(system):
    """Otherwise everybody would have access."""
    with pytest.raises(HttpError, match="no tokens are set"), serving(system.settings, host="::"):
        pass


@pytest.mark.parametrize(
    "text",
    [
        'a = {role = "king", sha256 = ""}',
        f'"" = {{role = "submit", sha256 = "{hash_of("os_submit")}"}}',
        'a = "b"',
        "[",
        "\xff",
    ],
)
def test_a_token_file_without_tokens_is_refused(system, tmp_path, text):
    """At the start, with an error that names the file."""
    file = tmp_path / "tokens.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(HttpError, match="token"), serving(system.settings, tokens=file):
        pass


def test_an_address_that_is_taken_is_refused(system, api):
    """By its name."""
    port = api.base_url.port
    taken = pytest.raises(HttpError, match=f"can't listen on 127.0.0.1:{port}")
    with taken, serving(system.settings, port=port):
        pass


@pytest.mark.parametrize(
    "headers",
    [{"Host": "shop.example"}, {"Host": "127.0.0.1.example:80"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_without_tokens_requests_of_other_sites_are_refused(api, headers):
    """A browser on this machine would send them to any name that resolves to this address."""
    assert 403 == api.post("/api/v1/orders", json={"id": "o-1"}, headers=headers).status_code


def test_a_client_above_the_rate_limit_gets_429(system, tmp_path):
    """Other clients are not affected."""
    tokens = tokens_file(tmp_path)
    with serving(system.settings, rate=2, tokens=tokens) as client:
        mine = [client.get("/api/v1/stock", headers=bearer("reader")) for _ in range(9)]
        others = client.get("/api/v1/stock", headers=bearer("shop"))
        probe = client.get("/health/live")

    slowed = [response for response in mine if response.status_code == 429]
    assert slowed
    assert all(int(response.headers["Retry-After"]) >= 1 for response in slowed)
    assert (200, 200) == (others.status_code, probe.status_code)


def test_guessing_tokens_is_rate_limited(system, tmp_path):
    """By address, because a wrong token identifies no client."""
    with serving(system.settings, rate=1, tokens=tokens_file(tmp_path)) as client:
        statuses = {
            client.get("/api/v1/stock", headers={"Authorization": f"Bearer {n}"}).status_code
            for n in range(9)
        }

    assert {401, 429} == statuses


def test_logs_hold_no_tokens_no_bodies_and_no_ids_of_customers(system, tmp_path):
    """Of a request, only its kind and its result are logged."""
    secrets = ("os_operate", "os_wrong", "4111111111111111", "ada@shop.example", "key-of-ada")
    with serving(system.settings, token="os_operate", tokens=tokens_file(tmp_path)) as client:
        client.post(
            "/api/v1/orders",
            json=an_order_body("o-1", customerId="ada@shop.example"),
            headers={"Idempotency-Key": "key-of-ada"},
        )
        client.post("/api/v1/orders", content=b'{"card": "4111111111111111"')
        client.get("/api/v1/orders/ada@shop.example?wait=0&card=4111111111111111")
        client.get("/ada@shop.example/4111111111111111")
        client.get("/api/v1/stock", headers={"Authorization": "Bearer os_wrong"})

        def lines():
            return [line for line in system.logged.lines if b'"http.request"' in line]

        wait_until(lambda: len(lines()) == 5, "five requests to be logged")
    text = b"\n".join(system.logged.lines).decode()
    assert [] == [secret for secret in secrets if secret in text]
    assert '"method":"POST","route":"/api/v1/orders","status":201' in text
    assert '"caller":"shop"' in text


def test_an_internal_error_is_answered_with_a_problem_and_logged(system):
    """The client gets no details of it."""

    def broken(order_id):
        raise RuntimeError("card 4111 1111 1111 1111 of ada@shop.example")

    system.start()
    with serving(system.settings, around={"timeline": broken}) as client:
        client.post("/api/v1/orders", json={"id": "o-1"})
        system.run()
        response = client.get("/api/v1/sagas/o-1")

    assert {"title": "Internal Server Error", "status": 500} == response.json()
    text = b"\n".join(system.logged.lines).decode()
    assert "http.failed" in text
    assert "RuntimeError" in text
    assert "ada@shop.example" not in text
    assert "4111 1111" not in text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/orders/", 404),
        ("DELETE", "/api/v1/orders", 405),
        ("POST", "/api/v1/orders/o-1", 405),
        ("GET", "/api/v1/sagas/o-1/retry", 404),
        ("OPTIONS", "/api/v1/stock", 405),
        ("BREW", "/api/v1/stock", 400),
    ],
)
def test_an_unknown_path_is_answered_with_a_problem(api, method, path, status):
    """Every error has the same form."""
    response = api.request(method, path)

    assert status == response.status_code
    assert "application/problem+json" == response.headers["Content-Type"]
    assert status == response.json()["status"]
    assert (status == 405) == ("Allow" in response.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 nginx"},
        {"X-Real-IP": "203.0.113.9"},
        {"Origin": "https://shop.example"},
    ],
)
def test_without_tokens_requests_through_a_proxy_are_refused(api, headers):
    """A proxy may serve other machines; pages of this machine have its origin."""
    own = {"Origin": f"http://127.0.0.1:{api.base_url.port}"}

    assert 403 == api.get("/api/v1/stock", headers=headers).status_code
    assert 200 == api.get("/api/v1/stock", headers=own).status_code


def test_without_tokens_health_and_page_are_only_for_this_machine(api):
    """A foreign host name is refused, but a link on another site to the page works."""
    foreign = {"Host": "shop.example"}
    link = {"Sec-Fetch-Site": "cross-site"}

    assert [403, 403] == [
        api.get(path, headers=foreign).status_code for path in ("/", "/health/live")
    ]
    assert 200 == api.get("/", headers=link).status_code


def test_causes_of_failures_are_shown_to_readers_only(system, tmp_path):
    """The texts name hosts, users and files."""

    def fail():
        raise BridgeError("no route to db.internal")

    with serving(
        system.settings, around={"check_log": fail}, tokens=tokens_file(tmp_path)
    ) as client:
        stranger = client.get("/health/ready").json()["checks"]["log"]
        wrong = client.get("/health/ready", headers=bearer("stranger")).json()["checks"]["log"]
        reader = client.get("/health/ready", headers=bearer("reader")).json()["checks"]["log"]

    assert {"ok": False, "detail": "failed"} == stranger == wrong
    assert {"ok": False, "detail": "no route to db.internal"} == reader


def test_a_token_file_of_the_same_size_and_time_is_read_again(system, tmp_path):
    """As rsync leaves it when one hash replaces another."""
    file = tokens_file(tmp_path)
    with serving(system.settings, token="os_read", tokens=file) as client:
        before = client.get("/api/v1/stock").status_code
        was, text = file.stat(), file.read_text()
        file.write_text(text.replace(hash_of("os_read"), hash_of("os_new")))
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
        after = client.get("/api/v1/stock").status_code

    assert (200, 401) == (before, after)


def test_tokens_that_come_and_go_are_logged_by_name(system, tmp_path):
    """Also one whose hash or role changes; neither token nor hash is logged."""
    file = tokens_file(tmp_path)
    was = file.read_text()
    with serving(system.settings, token="os_read", tokens=file) as client:
        for text in (
            f'{was}\nnew = {{ role = "read", sha256 = "{hash_of("os_new")}" }}\n',
            was.replace(hash_of("os_read"), hash_of("os_other")),
        ):
            file.write_text(text)
            client.get("/api/v1/stock")

    lines = [json.loads(line) for line in system.logged.lines if b"tokens_changed" in line]
    assert [(["new"], []), (["reader"], ["new", "reader"])] == [
        (line["added"], line["revoked"]) for line in lines
    ]
    assert b"os_" not in b"".join(system.logged.lines)


def test_a_token_file_that_cannot_be_read_is_logged_once(system, tmp_path):
    """And not for every request."""
    file = tokens_file(tmp_path)
    with serving(system.settings, token="os_read", tokens=file) as client:
        file.write_text("no tokens [")
        statuses = {client.get("/api/v1/stock").status_code for _ in range(5)}

    errors = [line for line in system.logged.lines if b"http.tokens_unreadable" in line]
    assert ({200}, 1) == (statuses, len(errors))


@pytest.mark.parametrize("why", ["a\0b", "a\x1b[2Jb", "a\u202eb", "x" * 1001])
def test_a_reason_is_plain_text(api, why):
    """Control characters are refused, because reasons are stored, printed and shown."""
    paths = ("/api/v1/services/stock/pause", "/api/v1/sagas/o-1/cancel", "/api/v1/sagas/actions")
    body = {"why": why}
    more = {"action": "cancel", "filter": {}, **body}
    answers = [api.post(p, json=more if "actions" in p else body) for p in paths]
    words = "of length <= 1000" if len(why) > 1000 else "text without control characters"

    assert [422] * 3 == [answer.status_code for answer in answers]
    assert [] == [answer.text for answer in answers if words not in answer.text]


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("web", (True, False, False)),
        ("reader", (False, True, False)),
        ("shop", (True, True, True)),
    ],
)
def test_a_caller_reads_its_permissions(guarded, who, may):
    """So that the page shows no action that would be refused."""
    caller = guarded.get("/api/v1/caller", headers=bearer(who)).json()

    assert (who, True) == (caller["name"], caller["needsToken"])
    assert may == (caller["maySubmit"], caller["mayRead"], caller["mayAct"])


def test_without_tokens_a_caller_has_all_permissions(api):
    """Under the name `local`."""
    caller = api.get("/api/v1/caller").json()

    assert ("local", False, True) == (caller["name"], caller["needsToken"], caller["mayAct"])
