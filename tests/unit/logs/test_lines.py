"""The content of a log line, and what is redacted."""

import json
from decimal import Decimal

import pytest

from order_sagas.bridges import redaction
from order_sagas.bridges.redaction import redacted
from order_sagas.system.logs.json_renderer import JsonLine

NOON = 1_764_072_000.0  # 2025-11-25T12:00:00Z


def a_line(method="info", **event):
    return json.loads(JsonLine(lambda: NOON)(None, method, {"event": "order.seen", **event}))


def test_a_line_starts_with_its_time_level_and_event():
    """So that a person can read the file as it is."""
    line = a_line("warning", order_id="o-1", seq=3)

    assert ["timestamp", "level", "event", "order_id", "seq"] == list(line)
    assert ("warning", "order.seen") == (line["level"], line["event"])


def test_a_line_without_fields_and_one_with_a_level_of_its_own():
    """Each is one JSON object, in which no key occurs twice."""
    now = "2025-11-25T12:00:00.000Z"
    line = JsonLine(lambda: NOON)

    assert [
        b'{"timestamp":"%b","level":"info","event":"order.seen"}' % now.encode(),
        b'{"timestamp":"%b","level":"low","event":"order.seen","seq":3}' % now.encode(),
    ] == [
        line(None, "info", {"event": "order.seen"}),
        line(None, "info", {"event": "order.seen", "level": "low", "seq": 3}),
    ]


def test_an_order_id_in_a_text_is_no_card_number():
    """Letters separate its digits."""
    text = "Your order 7ed4d57b-1e2f-4b89-8145-3431027411d1 is on its way."

    assert text == redacted(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (NOON, "2025-11-25T12:00:00.000Z"),
        (NOON + 0.0014, "2025-11-25T12:00:00.001Z"),
        (NOON + 0.9996, "2025-11-25T12:00:01.000Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
        (None, "2025-11-25T12:00:00.000Z"),
    ],
)
def test_the_time_is_the_callers_or_else_the_clocks(seconds, expected):
    """ISO 8601 in UTC with milliseconds, rounded; text is kept."""
    assert expected == a_line(timestamp=seconds)["timestamp"]


def test_times_of_different_seconds_do_not_mix():
    """The remembered second is only used for itself."""
    line = JsonLine(lambda: NOON)
    times = [NOON, NOON + 61.5, NOON]

    written = [json.loads(line(None, "info", {"timestamp": time}))["timestamp"] for time in times]

    assert ["12:00:00.000Z", "12:01:01.500Z", "12:00:00.000Z"] == [at[11:] for at in written]


def test_an_exception_is_written_with_its_traceback():
    """The line alone is enough to find the fault."""
    try:
        raise RuntimeError("the roof is leaking")
    except RuntimeError as error:
        line = a_line("error", exc_info=error)

    assert line["exception"].endswith("RuntimeError: the roof is leaking")
    assert "exc_info" not in line


def test_values_that_json_lacks_are_written_as_text():
    """Logging never fails because of a value."""
    assert {"a": "1.50", "b": "<class 'set'>"} == {
        key: value for key, value in a_line(a=Decimal("1.50"), b=set).items() if len(key) == 1
    }


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("card 4111 1111 1111 1111 declined", "card [card ending 1111] declined"),
        ("card 4111-1111-1111-1111", "card [card ending 1111]"),
        ("378282246310005", "[card ending 0005]"),
        ("4111 1111 1111 1112 is no card", "4111 1111 1111 1112 is no card"),
        ("evt-4111111111111111", "evt-4111111111111111"),
        ("mail ann.lee+x@shop.example.com now", "mail [address] now"),
        ("card 4111.1111.1111.1111", "card [card ending 1111]"),
        ("4111 1111 1111 1111 12/27", "[card ending 1111] 12/27"),
        ("4111111111111111 123", "[card ending 1111] 123"),
        ("2 4111111111111111- declined", "2 [card ending 1111]- declined"),
        ("order 1234 4111 1111 1111 1111", "order 1234 [card ending 1111]"),
        ("4242 4242 4242 4242 4111 1111 1111 1111", "[card ending 4242] [card ending 1111]"),
        ("3782 822463 10005 12/27", "[card ending 0005] 12/27"),
        ("4111\u00a01111\u20111111 -\n1111", "[card ending 1111]"),
        ("mail bob@localhost now", "mail [address] now"),
        ("SKU-7: 4 wanted, 3 there", "SKU-7: 4 wanted, 3 there"),
    ],
)
def test_free_text_loses_card_numbers_and_addresses(written, kept):
    """Only what passes for a card number goes; ids and quantities stay."""
    assert kept == a_line(reason=written)["reason"]


def test_an_order_id_that_looks_like_an_address_is_not_redacted():
    """Ids are never changed."""
    assert "ann@shop.example.com" == a_line(order_id="ann@shop.example.com")["order_id"]


@pytest.mark.parametrize(
    "key", ["reason", "why", "text", "note", "by", "code", "error", "caller", "said_by_anybody"]
)
def test_text_is_redacted_under_any_key(key):
    """Also in lists and mappings, and under unknown keys."""
    text, clean = "4111 1111 1111 1111 of bob@example.com", "[card ending 1111] of [address]"
    line = a_line(**{key: text, "more": [{"a": (text,)}]})

    assert (clean, [{"a": [clean]}]) == (line[key], line["more"])


def test_long_text_is_redacted_in_linear_time():
    """Hundreds of kilobytes that look like the start of an address; it used to take minutes."""
    text = "a" * 500_000 + " @" + "1" * 500_000 + " 1-" * 100_000

    assert text == redacted(text)


def test_long_texts_are_not_kept_in_memory():
    """Dead letters of some megabytes, of which a reader asks for many."""
    kept = redaction._remembered.cache_info().currsize
    redacted("bob@example.com " * 1000)

    assert kept == redaction._remembered.cache_info().currsize
