"""The API in separate processes: killed, stopped, and beside workers under a supervisor."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.history import COARSE, FINE, read_history
from tests.support.cli import Started, environment, order_sagas
from tests.support.http_service import HttpProcess, an_order_body
from tests.support.ports import free_port
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.processes

ORDERS = "/api/v1/orders"
POSTS = 500


@pytest.fixture
def env(tmp_path):
    """Settings with a database and logs of the test's own, without a rate limit."""
    return environment(tmp_path, log_dir=tmp_path / "logs", http_rate=0)


def run(posts: Coroutine[Any, Any, dict[str, int]]) -> dict[str, int]:
    """Run on a separate thread: the browser of other tests may run an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, posts).result()


async def post_all(url: str, ids, when_done=lambda count: None) -> dict[str, int]:
    """The status of the response to each order; 0 without a response."""
    statuses: dict[str, int] = {}
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=TIMEOUT) as client:

        async def post(order_id: str) -> None:
            try:
                response = await client.post(ORDERS, json=an_order_body(order_id))
            except httpx.TransportError:
                statuses[order_id] = 0
            else:
                statuses[order_id] = response.status_code
                when_done(len(statuses))

        await asyncio.gather(*(post(order_id) for order_id in ids))
    return statuses


def stored(env) -> Counter[str]:
    """How often each order is in the log."""
    with queries.reading(env["ORDER_SAGAS_DATABASE"]) as db:
        rows = db.exec_driver_sql("SELECT value FROM log WHERE topic = 'order-events'")
        return Counter(json.loads(value)["orderId"] for (value,) in rows)


def history(env, resolution):
    """The recorded rows of a resolution."""
    with queries.reading(env["ORDER_SAGAS_DATABASE"]) as db:
        return read_history(db, resolution, 0)


def test_an_acknowledged_order_survives_a_killed_process(tmp_path, env):
    """Killed during five hundred orders: each with status 201 is stored, and none twice."""
    ids = [f"o-{n}" for n in range(POSTS)]
    with HttpProcess(tmp_path, env) as first:

        def kill_in_the_middle(count):
            if count == POSTS // 3:
                first.process.kill()

        statuses = run(post_all(first.url, ids, kill_in_the_middle))
        first.process.wait()
    answered = {order_id for order_id, status in statuses.items() if status == 201}
    survived = stored(env)
    with HttpProcess(tmp_path, env) as second:
        again = run(post_all(second.url, ids))

        assert 0 == second.stop()
    assert POSTS // 3 <= len(answered) < POSTS
    assert answered <= survived.keys()
    assert {200: len(survived), 201: POSTS - len(survived)} == Counter(again.values())
    assert dict.fromkeys(ids, 1) == stored(env)


def test_requests_under_way_are_answered_before_a_stop(tmp_path, env):
    """After SIGTERM, every order that was read gets its response."""
    ids = [f"o-{n}" for n in range(100)]
    with HttpProcess(tmp_path, env) as http:

        def stop_in_the_middle(count):
            if count == 30:
                http.process.send_signal(signal.SIGTERM)

        statuses = run(post_all(http.url, ids, stop_in_the_middle))

        assert 0 == http.process.wait(TIMEOUT)
    answered = {order_id for order_id, status in statuses.items() if status == 201}
    assert answered == stored(env).keys()


def test_it_runs_beside_the_workers_under_the_supervisor(tmp_path, env):
    """Orders are accepted and end; the process is restarted when it dies, and ends with the run."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Started(tmp_path, env, "--workers", 1, "--http", f"127.0.0.1:{port}") as system:
        wait_until(lambda: answers(url), "HTTP to be served")
        assert 201 == httpx.post(f"{url}{ORDERS}", json={"id": "o-1"}).status_code
        ended = httpx.get(f"{url}{ORDERS}/o-1?wait=60", timeout=TIMEOUT * 2).json()
        ready = httpx.get(f"{url}/health/ready").json()
        before = serving_process(port).pid
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: answers(url), "HTTP to be served again")
        after = serving_process(port).pid
        listed = order_sagas("status", "--json", env=env)
        shown = order_sagas("status", env=env)
        again = httpx.post(f"{url}{ORDERS}", json={"id": "o-1"})
        told = httpx.get(f"{url}/api/v1/workers").json()

        assert 0 == system.stop()
    assert "COMPLETED" == ended["status"]
    assert ready["checks"]["workers"]["ok"]
    assert 200 == again.status_code
    assert not answers(url)
    (card,) = json.loads(listed.stdout)["http"]
    assert before != after
    assert (after, url, 1) == (card["pid"], card["address"], card["restarts"])
    assert f"http     {url}, process {after}, started again 1 time" in shown.stdout
    (worker,) = told["workers"]
    assert ("running", 0, [*range(8)]) == (worker["state"], worker["restarts"], worker["shards"])
    assert [1, 1] == [sum(row.ended for row in history(env, each)) for each in (FINE, COARSE)]


def test_a_run_of_one_process_records_its_history_too(tmp_path, env):
    """Without a supervisor; the last figures are written at the stop."""
    with Started(tmp_path, env, "--workers", 1) as system:
        assert 0 == system.stop()
    rows = history(env, FINE)

    assert {8} == {row.shards for row in rows}
    assert {(0, 0, 0)} == {(row.waiting, row.overdue, row.needs_attention) for row in rows}


def test_http_processes_are_listed_while_they_run(tmp_path, env):
    """Until they are stopped or killed, also if no worker runs."""
    others = {**env, "ORDER_SAGAS_DATABASE": f"sqlite:///{tmp_path / 'others.db'}"}
    with HttpProcess(tmp_path, env) as first, HttpProcess(tmp_path, env) as second:
        both = order_sagas("status", "--json", env=env)
        order_sagas(
            "submit", "-", "--format", "jsonl", env=others, stdin=json.dumps(an_order_body())
        )
        other = order_sagas("status", "--json", env=others)
        first.kill()
        one = order_sagas("status", "--json", env=env)
        second.stop()
        none = order_sagas("status", "--json", env=env)

    served = [(each.process.pid, each.url) for each in (first, second)]
    assert 1 == both.returncode  # none of them is a worker
    assert [] == json.loads(other.stdout)["http"]
    assert served == [(card["pid"], card["address"]) for card in json.loads(both.stdout)["http"]]
    assert served[1:] == [(card["pid"], card["address"]) for card in json.loads(one.stdout)["http"]]
    assert [] == json.loads(none.stdout)["http"]


def test_an_address_in_use_ends_the_run_with_an_error(tmp_path, env):
    """Instead of running without HTTP."""
    with HttpProcess(tmp_path, env) as other:
        address = f"127.0.0.1:{other.port}"
        with Started(tmp_path, env, "--workers", 1, "--http", address, wait=False) as system:
            assert 1 == system.process.wait(120)
            assert "can't listen on" in system.printed


def test_created_tokens_are_accepted(tmp_path, env):
    """The printed line goes into the file unchanged; the token is printed separately."""
    made = order_sagas("http", "token", "shop", "--role", "operate", env=env)
    token = made.stderr.splitlines()[-1]
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(made.stdout)
    with HttpProcess(tmp_path, env, "--http-tokens", tokens) as http:
        headers = {"Authorization": f"Bearer {token}"}
        with_it = httpx.post(f"{http.url}{ORDERS}", json={"id": "o-1"}, headers=headers)
        without = httpx.post(f"{http.url}{ORDERS}", json={"id": "o-2"})

    assert (201, 401) == (with_it.status_code, without.status_code)
    assert token not in made.stdout


def test_without_tokens_a_public_address_is_refused(tmp_path, env):
    """The error says what to do."""
    refused = order_sagas("http", "--http", "0.0.0.0:0", env=env)

    assert 1 == refused.returncode
    assert "http token NAME" in refused.stderr


def test_a_terminal_shows_the_banner_instead_of_log_lines(tmp_path, env):
    """The banner has the same information as the log lines of the start."""
    with HttpProcess(tmp_path, env) as http:
        http.stop()

    said = http.output.read_text().splitlines()
    assert f"order-sagas is serving at {http.url}" == said[0]
    assert "  open  to all users of this machine, without tokens" in said
    assert not [line for line in said if line.startswith("[")]


def answers(url: str) -> bool:
    """Whether a server answers at the address."""
    try:
        return httpx.get(f"{url}/health/live").status_code == 200
    except httpx.TransportError:
        return False


def serving_process(port: int) -> psutil.Process:
    """The process that listens on the port."""
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
            return psutil.Process(each.pid)
    raise AssertionError(f"nobody listens at {port}")
