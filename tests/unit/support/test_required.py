"""Tests without their requirements are skipped, or fail if these are required."""

import pytest

from tests.support import kafka_jars
from tests.support.required import skip_or_fail


def test_a_missing_requirement_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason."""
    monkeypatch.delenv("REQUIRE_KAFKA", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"No java\."):
        skip_or_fail("REQUIRE_KAFKA", "No java.")


def test_a_missing_required_program_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous integration cannot pass by skipping."""
    monkeypatch.setenv("REQUIRE_KAFKA", "1")

    with pytest.raises(pytest.fail.Exception, match="REQUIRE_KAFKA=1"):
        skip_or_fail("REQUIRE_KAFKA", "No java.")


def test_every_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all of them can be installed at once."""
    monkeypatch.setenv("PATH", "")

    assert kafka_jars.why_no_broker() == (
        "Not found: a Java 17 or newer and Maven, which brings Kafka's jars."
    )
