"""A machine without a broker skips its tests, unless it is asked not to."""

import pytest

from tests.support import kafka_jars
from tests.support.required import skip_or_fail


def test_what_is_missing_is_a_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told."""
    monkeypatch.delenv("REQUIRE_KAFKA", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"No java\."):
        skip_or_fail("REQUIRE_KAFKA", "No java.")


def test_what_is_missing_is_a_failure_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous integration cannot pass by skipping."""
    monkeypatch.setenv("REQUIRE_KAFKA", "1")

    with pytest.raises(pytest.fail.Exception, match="REQUIRE_KAFKA=1"):
        skip_or_fail("REQUIRE_KAFKA", "No java.")


def test_every_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one look tells what to install."""
    monkeypatch.setenv("PATH", "")

    assert kafka_jars.why_no_broker() == (
        "Not found: a Java 17 or newer and Maven, which brings Kafka's jars."
    )
