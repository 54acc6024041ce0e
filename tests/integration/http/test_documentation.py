"""The commands of docs/http.md work as described."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from order_sagas.bridges.http.server.tokens import Role
from tests.integration.http.test_roles import expected
from tests.support.http_service import an_order_body, serving
from tests.support.markdown import blocks
from tests.support.pasted import commands
from tests.support.waiting import TIMEOUT

PAGE_FILE = Path(__file__).parents[3] / "docs" / "http.md"
PAGE = PAGE_FILE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.M | re.S)
SERVED = "http://127.0.0.1:8080"
ROLE_NAMES = {
    Role.NONE: "none", Role.SUBMIT: "`submit`", Role.READ: "`read`", Role.ACT: "`operate`",
    Role.SUBMIT | Role.READ: "`submit` or `read`", Role.OPERATE: "any",
}  # fmt: skip


def requests() -> list[str]:
    """Each `curl` command to this machine."""
    typed = [each.text for block in blocks(PAGE_FILE, "console") for each in commands(block)]
    return [
        text for text in typed if text.startswith("curl") and "/api/" in text and SERVED in text
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_every_request_of_the_page_succeeds(system):
    """The first one submits the order that the others need."""
    system.start()
    system.load({"PEN": 10})
    statuses, expected = [], []
    with serving(system.settings) as api:
        where = str(api.base_url)
        for command in requests():
            typed = command.replace("\\\n", "").replace(SERVED, where)
            words = [*shlex.split(typed, comments=True), "--max-time", "3", "-w", "\n%{http_code}"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT)
            statuses.append(done.stdout.rpartition("\n")[2])
            brings = "/orders -" in command
            expected.append("409" if "/retry" in command else "201" if brings else "200")
            system.run()

    assert {"200", "201", "409"} == set(expected)
    assert expected == statuses


def test_the_answer_to_the_first_request_is_the_one_shown(api):
    """It is the same text."""
    shown = next(block for block in BLOCKS if "HTTP/1.1 201" in block)
    response = api.post("/api/v1/orders", json=an_order_body("A-1", customerId="C-7"))

    assert response.text == shown.splitlines()[-1]
    assert f"location: {response.headers['location']}" in shown
    assert f"HTTP/1.1 {response.status_code} {response.reason_phrase}" in shown


def test_the_problem_shown_is_the_one_returned(api):
    """With the field that is wrong."""
    [shown] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)
    body = an_order_body(lines=[{"sku": "PEN", "quantity": 0, "unitPrice": 1}])
    response = api.post("/api/v1/orders", json=body)

    assert response.json() == json.loads(shown)


def test_every_endpoint_is_listed_with_its_role(api):
    """And no other; with the summary of the OpenAPI description."""
    rows = re.findall(r"^\| (GET|POST) \| `(\S+)` \| (.+?) \| (.+) \|$", PAGE, re.M)
    paths = api.get("/openapi.json").json()["paths"]
    described = {
        (method.upper(), path, ROLE_NAMES[expected(method.upper(), path)], each["summary"])
        for path, methods in paths.items()
        for method, each in methods.items()
    }

    assert described == {*rows}
    assert len(described) == len(rows)
