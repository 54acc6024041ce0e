"""Properties: for any sequence of events, a saga keeps the rules and ends or waits."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from order_sagas.actors.messages import (
    CancelSaga,
    Message,
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
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Parallel, Phase, Saga, SagaState, Status, Step
from order_sagas.actors.sagas.state import HistoryEntry, decode, encode
from tests.support.trips import (
    DESK,
    SAGAS,
    TicketFailed,
    TicketSent,
    TripWanted,
    a_flight,
    a_hotel,
    a_trip,
    send_ticket,
)
from tests.support.turns import Turns
from tests.unit.sagas.test_advance import AT_ONCE, FORWARD_ONLY, START

REPLIES = (
    PaymentCompleted, PaymentFailed, PaymentRolledBack, StockReserved, StockReservationFailed,
    StockRolledBack, OrderRolledBack, OrderCreated,
)  # fmt: skip
WITH_PIVOT = a_trip(
    a_flight(),
    Parallel(
        Step("send ticket", to=DESK, do=send_ticket, done=TicketSent, failed=TicketFailed,
             within=60, pivot=True),
        a_hotel(failed=None),
    ),
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


def _first(entry: HistoryEntry) -> HistoryEntry:
    """An entry as it was before its message came again."""
    return replace(entry, times=1, last=0.0)


def keeps_the_rules(saga: Saga[Any], before: SagaState | None, after: SagaState) -> None:
    """The rules for every state, and for each transition."""
    if after.ended:
        assert after.deadline is None
    elif after.status == Status.NEEDS_ATTENTION:
        assert {Phase.STUCK, Phase.UNDO_STUCK} & {Phase(s.phase) for s in after.steps}
    else:
        assert after.deadline is not None
    if after.status == Status.COMPLETED:
        assert {Phase(state.phase) for state in after.steps} <= {Phase.DONE, Phase.SKIPPED}
    if after.code and saga.pivot and not saga.pivot.undo:
        # Neither done nor possibly done: it was not sent, it failed, or it was skipped.
        pivot = after.steps[saga.index[saga.pivot.name]].phase
        assert pivot in (Phase.IDLE, Phase.FAILED, Phase.SKIPPED)
    if after.status == Status.CANCELLED:
        undone = {Phase.IDLE, Phase.FAILED, Phase.UNDONE, Phase.SKIPPED}
        assert {Phase(state.phase) for state in after.steps} <= undone
    recorded = [(e.step, e.note) for e in after.history if e.event == "saga.message_ignored"]
    assert len(recorded) == len(set(recorded))
    told = [entry for entry in after.history if entry.event != "saga.message_ignored"]
    assert len(told) == after.seq
    stage_of = {step.name: n for n, stage in enumerate(saga.stages) for step in stage}
    undone_stages = [
        stage_of[row.name]
        for e in after.history
        if e.event == "saga.step_undone" and (row := saga.row_named(e.step))
    ]
    skipped = {e.step for e in after.history if e.event == "saga.step_skipped"}
    assert not skipped & {e.step for e in after.history if e.event == "saga.step_undone"}
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
    """Without further replies, timers alone end the saga, or make it need attention."""
    goes_through(saga, START, happening)


@st.composite
def trips(draw: st.DrawFn) -> tuple[Saga[Any], list[Any]]:
    """A saga of `tests.support.trips`, and events that it may know."""
    saga = draw(st.sampled_from((*SAGAS, WITH_PIVOT)))
    names = [step.name for step in saga.rows] + [f"book seat[{n}]" for n in range(4)]
    told = st.builds(
        lambda kind, attempt, step: kind(order_id="T-1", attempt=attempt, step=step),
        st.sampled_from([*saga.answers]),
        st.integers(0, 3),
        st.sampled_from(("", *names)),
    )
    asked = st.builds(
        lambda kind, step, why: kind(order_id="T-1", by="ann", step=step, why=why),
        st.sampled_from((RetryStep, SkipStep, ResumeSaga, CancelSaga)),
        st.sampled_from(names),
        st.sampled_from(("", "because")),
    )
    each = st.one_of(told, told, told, asked, st.just(TIME_OUT), st.just(OLD_TIMER))
    return saga, draw(st.lists(each, max_size=40))


@settings(max_examples=1000, deadline=None)
@given(trips(), st.integers(0, 3), st.integers(0, 1))
def test_every_feature_of_definitions_keeps_the_rules(trip, travellers, nights) -> None:
    """Conditions, waits, items, questions and deadlines, like plain steps."""
    start = TripWanted(order_id="T-1", travellers=("ann", "bob", "cy")[:travellers], nights=nights)

    goes_through(trip[0], start, trip[1])


def goes_through(saga: Saga[Any], start: Message, happening: list[Any]) -> None:
    """Let events happen, and check the rules after each; then let only time pass."""
    turns = Turns(saga, start)
    assert turns.progress
    keeps_the_rules(saga, None, turns.progress)
    for event in happening:
        before: SagaState = turns.progress
        if event == TIME_OUT:
            if before.deadline is not None:
                turns.time_out()
        elif event == OLD_TIMER:
            if turns.wakes:
                turns.deliver(turns.wakes[0])
        else:
            turns.deliver(event)
        keeps_the_rules(saga, before, turns.progress)
        assert turns.progress == decode(encode(turns.progress), saga)

    for _ in range(100):
        if turns.progress.deadline is None:
            break
        turns.time_out()

    assert turns.progress.ended or turns.status == Status.NEEDS_ATTENTION
