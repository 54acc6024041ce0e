"""Whatever comes, in whatever order and however often, a saga keeps the rules and gets on."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.messages import (
    CancelSaga,
    OrderCreated,
    OrderRolledBack,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    ResumeSaga,
    RetryStep,
    SkipStep,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from actors.place_order import PLACE_ORDER
from actors.sagas import Phase, Progress, Saga, Status
from actors.sagas.progress import Entry, decode, encode
from tests.support.turns import Turns
from tests.unit.sagas.test_advance import AT_ONCE, FORWARD_ONLY, START

REPLIES = (
    PaymentCompleted, PaymentFailed, PaymentRolledBack, StockReserved, StockReservationFailed,
    StockRolledBack, OrderRolledBack, OrderCreated,
)  # fmt: skip
STEPS = ("create order", "process payment", "reserve stock", "pay", "reserve", "ship", "")

replies = st.builds(
    lambda kind, attempt, step: kind(order_id="o-1", attempt=attempt, step=step),
    st.sampled_from(REPLIES),
    st.integers(0, 4),
    st.sampled_from(STEPS),
)
operators = st.builds(
    lambda kind, step, why: kind(order_id="o-1", by="ann", step=step, why=why),
    st.sampled_from((RetryStep, SkipStep, ResumeSaga, CancelSaga)),
    st.sampled_from(STEPS),
    st.sampled_from(("", "because")),
)
TIME_OUT, OLD_TIMER = "time out", "old timer"
events = st.lists(
    st.one_of(replies, operators, st.just(TIME_OUT), st.just(TIME_OUT), st.just(OLD_TIMER)),
    max_size=40,
)


def _first(entry: Entry) -> Entry:
    """An entry as it was before its message came again."""
    return replace(entry, times=1, last=0.0)


def keeps_the_rules(saga: Saga, before: Progress | None, after: Progress) -> None:
    """What must hold of every progress, and from one to the next."""
    if after.ended:
        assert after.deadline is None
    elif after.status == Status.NEEDS_ATTENTION:
        assert {Phase.STUCK, Phase.UNDO_STUCK} & {Phase(s.phase) for s in after.steps}
    else:
        assert after.deadline is not None
    if after.status == Status.COMPLETED:
        assert {Phase.DONE} == {Phase(state.phase) for state in after.steps}
    if after.status == Status.CANCELLED:
        undone = {Phase.IDLE, Phase.FAILED, Phase.UNDONE}
        assert {Phase(state.phase) for state in after.steps} <= undone
    recorded = [(e.step, e.note) for e in after.history if e.event == "saga.message_ignored"]
    assert len(recorded) == len(set(recorded))
    told = [entry for entry in after.history if entry.event != "saga.message_ignored"]
    assert len(told) == after.seq
    stage_of = {saga.rows[i].name: n for n, found in enumerate(saga.stage_steps) for i in found}
    undone_stages = [stage_of[e.step] for e in after.history if e.event == "saga.step_undone"]
    assert sorted(undone_stages, reverse=True) == undone_stages
    if before:
        kept = after.history[: len(before.history)]
        assert [*map(_first, kept)] == [*map(_first, before.history)]
        assert all(new.times >= old.times for new, old in zip(kept, before.history, strict=True))
        if before.ended:
            assert before is after


@settings(max_examples=400, deadline=None)
@given(st.sampled_from((PLACE_ORDER, AT_ONCE, FORWARD_ONLY)), events)
def test_any_sequence_of_events_keeps_the_rules_and_ends_or_waits(saga, happening) -> None:
    """And if then nobody answers any more, time alone brings it to an end, or to a person."""
    turns = Turns(saga, START)
    assert turns.progress
    keeps_the_rules(saga, None, turns.progress)
    for event in happening:
        before: Progress = turns.progress
        if event == TIME_OUT:
            if before.deadline is not None:
                turns.time_out()
        elif event == OLD_TIMER:
            turns.tell(turns.wakes[0])
        else:
            turns.tell(event)
        keeps_the_rules(saga, before, turns.progress)
        assert turns.progress == decode(encode(turns.progress), saga)

    for _ in range(100):
        if turns.progress.deadline is None:
            break
        turns.time_out()

    assert turns.progress.ended or turns.status == Status.NEEDS_ATTENTION
