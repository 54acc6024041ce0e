"""Loggers of the whole process write to one file."""

import io
import json
import logging

import pytest
import structlog

from order_sagas.system.logs import configure_logging, log_files
from order_sagas.system.settings import Settings


class Clock:
    def now(self):
        return 60.0

    def monotonic(self):
        return 60.0


@pytest.fixture
def configured(tmp_path):
    """Configure logging into a directory; the configuration of the process is restored."""
    before = structlog.get_config()
    sinks = []

    def configure(settings=None, **more):
        sink = configure_logging(settings or Settings(log_dir=tmp_path), Clock(), **more)
        sinks.append(sink)
        return sink

    yield configure
    for sink in sinks:
        sink.close()
    structlog.configure(**before)


def lines(sink):
    sink.flush()
    return [json.loads(line) for line in sink.path.read_bytes().splitlines()]


def test_a_logger_writes_json_with_what_was_bound(configured):
    """structlog is used as its manual says."""
    sink = configured()

    structlog.get_logger().bind(order_id="o-1").info("saga.started", seq=1)

    expected = {"timestamp": "1970-01-01T00:01:00.000Z", "level": "info", "event": "saga.started"}
    assert [{**expected, "order_id": "o-1", "seq": 1}] == lines(sink)


def test_lines_below_the_level_are_not_written(configured, tmp_path):
    """The level is a setting."""
    sink = configured(Settings(log_dir=tmp_path, log_level="warning"))

    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud")

    assert ["loud"] == [line["event"] for line in lines(sink)]


def test_errors_are_written_immediately(configured):
    """So that they are written if the process dies next."""
    sink = configured()

    try:
        raise KeyError("lost")
    except KeyError:
        structlog.get_logger().exception("runner.failed")

    (line,) = map(json.loads, sink.path.read_bytes().splitlines())
    assert "error" == line["level"]
    assert "KeyError: 'lost'" in line["exception"]


def test_a_logger_from_before_follows_to_the_new_sink(configured, tmp_path):
    """A process that is set up anew has no logger that writes elsewhere."""
    configured()
    log = structlog.get_logger()
    log.info("first")

    sink = configured(Settings(log_dir=tmp_path / "second"))
    log.info("second")

    assert ["second"] == [line["event"] for line in lines(sink)]


def test_captured_logs_never_reach_the_file(configured):
    """structlog's own way of testing works on cached loggers too."""
    sink = configured()
    log = structlog.get_logger()
    log.info("kept")

    with structlog.testing.capture_logs() as captured:
        log.info("seen by the test")

    assert ["seen by the test"] == [entry["event"] for entry in captured]
    assert ["kept"] == [line["event"] for line in lines(sink)]


def test_the_console_shows_the_system_but_not_single_sagas(configured):
    """Lines of ten thousand sagas per minute would be unreadable."""
    terminal = io.StringIO()
    sink = configured(console=terminal)

    structlog.get_logger().info("runner.started", workers=1)
    structlog.get_logger().info("saga.started", seq=1, order_id="A-1")

    assert "runner.started workers=1" in terminal.getvalue()
    assert "saga.started" not in terminal.getvalue()
    assert ["runner.started", "saga.started"] == [line["event"] for line in lines(sink)]


def test_workers_that_share_a_directory_write_files_of_their_own(configured, tmp_path):
    """Files are found by worker, newest first."""
    configured(worker="2").append_now(b"{}")
    configured().append_now(b"{}")
    (tmp_path / "order-sagas-2.jsonl.10").touch()
    (tmp_path / "order-sagas-2.jsonl.9").touch()
    (tmp_path / "order-sagas.jsonl.bak").touch()

    found = {worker: [file.name for file in files] for worker, files in log_files(tmp_path).items()}

    ages = ["order-sagas-2.jsonl", "order-sagas-2.jsonl.9", "order-sagas-2.jsonl.10"]
    assert {"": ["order-sagas.jsonl"], "2": ages} == found


def test_log_lines_of_libraries_are_only_in_the_file(configured):
    """A client in an outage logs the same many times a second."""
    console = io.StringIO()
    sink = configured(console=console)

    logging.getLogger("kafka.conn").error("Connect attempt %d failed", 7)
    logging.getLogger("kafka.conn").info("quiet")

    (line,) = lines(sink)
    said = ("library.said", "kafka.conn", "error", "Connect attempt 7 failed")
    assert said == (line["event"], line["library"], line["severity"], line["message"])
    assert "" == console.getvalue()


def test_an_exception_that_a_library_logs_is_written_with_its_traceback(configured):
    """It may be the only trace of the error."""
    sink = configured()

    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("kafka.conn").exception("It went wrong")

    (line,) = lines(sink)
    assert "ValueError: odd" in line["exception"]


def test_the_console_has_no_card_numbers_and_addresses(configured):
    """The console may be stored, for example by Docker. Tracebacks are redacted too."""
    terminal = io.StringIO()
    configured(console=terminal)
    text = "4111 1111 1111 1111 of bob@example.com"

    structlog.get_logger().warning("service.paused", why=text)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        structlog.get_logger().exception("runner.failed")

    assert 2 == terminal.getvalue().count("[card ending 1111] of [address]")
    assert "4111" not in terminal.getvalue()
