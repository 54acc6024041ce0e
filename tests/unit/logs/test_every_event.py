"""No event of the log lets a card number or an address through, under whatever key it is given.

Events and their keys are found in the source: every call of a logger, and every transition that is
noted.
"""

import ast
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from order_sagas.system.logs import configure_logging
from order_sagas.system.logs.redact import PLAIN
from order_sagas.system.settings import Settings
from tests.unit.logs.test_configuring import Clock

ROOT = Path(__file__).parents[3]
SECRET = "card 4111 1111 1111 1111 of bob@example.com"
LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "note", "LogEvent"}
IDS = {"order_id", "saga_id", "cause", "event_id", "trace_id", "span_id"}


def calls() -> Iterator[tuple[str, set[str]]]:
    """Every event that the source logs by name, with the keys of that call."""
    for folder in ("actors", "bridges", "system"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                event = getattr(node.args[0], "value", None)
                if name in LOGGING and isinstance(event, str) and re.fullmatch(r"\w+\.\w+", event):
                    yield event, {each.arg for each in node.keywords if each.arg}


EVENTS: dict[str, set[str]] = defaultdict(set)
for _event, _keys in calls():
    EVENTS[_event] |= _keys


@pytest.fixture
def console(tmp_path: Path) -> Iterator[io.StringIO]:
    """Logging into a file of the test's, and to this console."""
    before, console = structlog.get_config(), io.StringIO()
    sink = configure_logging(Settings(log_dir=tmp_path), Clock(), console=console)
    yield console
    sink.close()
    structlog.configure(**before)


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_no_event_lets_a_secret_through(event: str, console: io.StringIO, tmp_path: Path) -> None:
    """Neither to the file nor to the console; under its own keys, in lists, and in exceptions."""
    fields = dict.fromkeys(EVENTS[event] - PLAIN - {"exc_info"}, SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        log = structlog.get_logger()
        log.error(event, **fields, said_by_anybody=[{"why": SECRET}], exc_info=True)
    structlog.get_logger().error(event)  # errors are written at once
    (file,) = tmp_path.glob("*.jsonl")
    text = file.read_text()

    assert event == json.loads(text.splitlines()[0])["event"]
    assert event in console.getvalue()
    for written in (text, console.getvalue()):
        assert "4111 1111" not in written
        assert "bob@" not in written


def test_the_source_is_searched() -> None:
    """A search that finds nothing proves nothing."""
    assert len(EVENTS) > 60
    assert {"reason", "step"} <= EVENTS["saga.needs_attention"]


def test_what_is_left_as_it_is_holds_ids_names_and_numbers() -> None:
    """No key under which people or other systems write is among them."""
    free = {"why", "reason", "note", "text", "by", "code", "error", "detail", "status", "subject"}

    assert PLAIN >= IDS
    assert not PLAIN & free
