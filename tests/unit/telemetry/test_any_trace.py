"""Properties: for any sequence of events, the spans of a saga make one tree."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from order_sagas.actors.messages import Message
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import Decision, Saga, Timer
from order_sagas.actors.sagas.places import rows_of
from order_sagas.actors.sagas.transition import GOING, UNDOING
from order_sagas.system.telemetry.spans import SpanOver, Spans
from tests.support.trips import TripWanted
from tests.support.turns import Turns
from tests.unit.sagas.test_advance import AT_ONCE, FORWARD_ONLY, START
from tests.unit.sagas.test_any_order import OLD_TIMER, TIME_OUT, events, trips


class Traced(Turns):
    """Turns whose spans are kept."""

    def __init__(self, saga: Saga[Any], start: Message) -> None:
        self.spans: list[SpanOver] = []
        self._latest = 0.0
        super().__init__(saga, start)

    def deliver(self, message: Message | Timer, after: float = 0.0) -> Decision:
        before = self.progress
        # A timer may be late, but time never goes back.
        self.now = self._latest = max(self.now, self._latest) + after
        decision = super().deliver(message)
        if decision.progress is not before:
            self.spans += Spans(self.saga, decision.progress, decision.notes).over()
        return decision

    def answer_all(self) -> None:
        """Let every command be done, until there is none."""
        while self.progress and not self.progress.ended:
            self.now += 1.0
            rows = rows_of(self.saga, self.progress.items)
            for row, state in zip(rows, self.progress.steps, strict=True):
                if row.kind == "delay" and state.deadline and not self.progress.ended:
                    self.time_out()
                if row.kind == "each":
                    continue
                kind = row.done if state.phase in GOING else row.undone
                if kind and state.phase in (*GOING, *UNDOING):
                    self.answer(kind, step=row.name)


def make_one_tree(spans: list[SpanOver]) -> None:
    """Check that each span exists once, within the time of its parent."""
    by_id = {span.id: span for span in spans}
    assert len(spans) == len(by_id)
    assert 1 == sum(not span.parent for span in spans)
    for span in spans:
        assert span.began <= span.ended
        if span.parent:
            parent = by_id[span.parent]
            assert parent.began <= span.began, (span, parent)
            assert span.ended <= parent.ended, (span, parent)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from((PLACE_ORDER, AT_ONCE, FORWARD_ONLY)), events)
def test_the_spans_of_any_saga_make_one_tree(saga: Saga[Any], happening: list[Any]) -> None:
    """And every command has a span."""
    goes_through(saga, START, happening)


@settings(max_examples=400, deadline=None)
@given(trips())
def test_the_spans_of_every_feature_of_definitions_make_one_tree(
    trip: tuple[Saga[Any], list[Any]],
) -> None:
    """Waits are spans too; items have spans below the saga, as other steps."""
    goes_through(trip[0], TripWanted(order_id="T-1", travellers=("ann", "bob")), trip[1])


def goes_through(saga: Saga[Any], start: Message, happening: list[Any]) -> None:
    """Let events happen, and check the spans."""
    turns = Traced(saga, start)
    for event in happening:
        assert turns.progress
        if event == TIME_OUT:
            if turns.progress.deadline is not None:
                turns.time_out()
        elif event == OLD_TIMER:
            if turns.wakes:
                turns.deliver(turns.wakes[0])
        else:
            turns.deliver(event, after=0.5)
    turns.answer_all()

    assert turns.progress
    assert turns.progress.ended
    make_one_tree(turns.spans)
    ids = {span.id for span in turns.spans}
    sent = {send.message.event_id for send in turns.sends if send.message.step}
    assert {each for each in sent if ":ask/" not in each and ":remind/" not in each} <= ids
