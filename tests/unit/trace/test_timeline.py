"""Building a timeline from log lines: valid transitions, outcome, durations of steps."""

import pytest

from order_sagas.system.trace import Timeline
from tests.unit.trace.lines import COMPENSATED, PAID, STARTED, line


def saga_of(*lines):
    (saga,) = Timeline.from_lines("o-1", lines).sagas
    return saga


def events(*lines):
    return [(t.event.removeprefix("saga."), t.seq, t.cause) for t in saga_of(*lines).transitions]


def ignored(seq, cause):
    return line("message_ignored", seq, status="X", reason="stale", cause=cause)


def test_a_rolled_back_transition_is_replaced_by_its_repetition():
    """After a crash the log holds both; the later one is what was committed."""
    again = {**PAID, "cause": "again"}

    assert [("started", 1, "event-1"), ("step_completed", 2, "again")] == events(
        STARTED, PAID, again
    )


def test_a_later_line_replaces_all_lines_from_its_number_on():
    """A batch that was rolled back can hold several transitions of one saga."""
    rolled_back = [PAID, line("step_completed", 3, step="reserve stock"), line("completed", 4)]
    failed = line("step_failed", 2, step="process payment", cause="again")

    assert [("started", 1, "event-1"), ("step_failed", 2, "again")] == events(
        STARTED, *rolled_back, failed
    )


def test_messages_ignored_in_a_rolled_back_state_are_dropped():
    """Those ignored before it stay."""
    lines = [STARTED, ignored(1, "early"), PAID, ignored(2, "late"), {**PAID, "cause": "again"}]

    assert [
        ("started", 1, "event-1"),
        ("message_ignored", 1, "early"),
        ("step_completed", 2, "again"),
    ] == events(*lines)


def test_an_ignored_message_replaces_nothing():
    """It has the number of the current state."""
    assert ["started", "step_completed", "message_ignored"] == [
        event for event, _, _ in events(STARTED, PAID, ignored(1, "x"))
    ]


def test_a_saga_that_began_again_has_only_its_second_beginning():
    """The whole first try was rolled back."""
    assert [("started", 1, "again")] == events(STARTED, PAID, {**STARTED, "cause": "again"})


def test_sagas_of_one_order_are_independent():
    """Each has its own numbers."""
    other = line("started", 1, saga_id="return-order/o-1")

    timeline = Timeline.from_lines("o-1", [STARTED, PAID, other])

    assert ["place-order", "return-order"] == [saga.saga for saga in timeline.sagas]
    assert [2, 1] == [len(saga.transitions) for saga in timeline.sagas]


STUCK = line("needs_attention", 3, step="reserve stock", reason="no answer")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([PAID], "running"),
        ([PAID, line("completed", 3)], "completed"),
        ([PAID, line("completed", 3), ignored(3, "x")], "completed"),
        ([line("cancelled", 2)], "cancelled"),
        ([PAID, STUCK], "needs attention"),
        ([PAID, STUCK, line("step_completed", 4, step="other")], "needs attention"),
        ([PAID, STUCK, line("operator", 4, step="reserve stock", action="retry")], "running"),
        ([PAID, STUCK, line("operator", 4, action="cancel")], "running"),
    ],
)
def test_the_outcome_follows_from_the_transitions(lines, expected):
    """A stuck step needs attention until it is answered or an operator acts on it."""
    assert expected == saga_of(STARTED, *lines).outcome


def test_offsets_are_from_the_start_of_the_saga():
    """Seconds, to the millisecond of the lines."""
    saga = saga_of(*COMPENSATED)

    assert [0.0, 0.04, 10.04, 10.54, 10.6, 10.7, 12.7, 12.7] == [
        transition.offset for transition in saga.transitions
    ]
    assert 12.7 == saga.duration
    assert saga.whole


def test_each_step_and_each_undo_has_its_span():
    """From the first command to the last answer, with all attempts."""
    spans = saga_of(*COMPENSATED).spans

    assert [
        ("process payment", False, 0.0, 0.04, 1, "done"),
        ("reserve stock", False, 0.04, 10.7, 2, "failed"),
        ("process payment", True, 10.7, 12.7, 1, "undone"),
    ] == [(s.step, s.undo, s.began, s.ended, s.attempts, s.result) for s in spans]


def test_a_step_that_waits_has_an_open_span():
    """A time-out that is followed by a retry is no end yet."""
    *_, span = saga_of(*COMPENSATED[:3]).spans

    assert ("reserve stock", None, "sent") == (span.step, span.ended, span.result)


def test_a_saga_whose_beginning_was_rotated_away_still_has_a_timeline():
    """It says that it is not whole, and spans begin where the duration says."""
    saga = saga_of(*COMPENSATED[5:])

    assert not saga.whole
    assert "cancelled" == saga.outcome
    assert [("reserve stock", 0.0), ("process payment", 0.0)] == [
        (span.step, span.began) for span in saga.spans
    ]


def test_a_message_ignored_before_the_start_leaves_the_start_where_it_is():
    """A reply that came first does not move the offsets."""
    early = {**ignored(0, "early"), "timestamp": "2025-11-24T14:25:03.000Z"}
    del early["saga"]

    saga = saga_of(early, STARTED, PAID)

    assert ("place-order", True) == (saga.saga, saga.whole)
    assert [-0.12, 0.0, 0.04] == [transition.offset for transition in saga.transitions]


def test_lines_without_a_saga_are_kept_apart():
    """So are messages for a saga of which nothing else is known."""
    sent = {"event": "notification.sent", "order_id": "o-1", "channel": "log"}
    stray = {**ignored(0, "x"), "saga_id": "unknown/o-1"}

    timeline = Timeline.from_lines("o-1", [STARTED, sent, stray])

    assert ["notification.sent", "saga.message_ignored"] == [t.event for t in timeline.others]
    assert {"channel": "log"} == timeline.others[0].details


def test_transitions_after_the_failure_are_compensation():
    """A `sent` means an undo from there on."""
    assert [False] * 5 + [True] * 3 == [t.undoing for t in saga_of(*COMPENSATED).transitions]
