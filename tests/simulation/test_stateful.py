"""Hypothesis chooses events and faults, so that a failing plan is shrunk."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from order_sagas.system.harness import (
    AnswersTwice,
    CallFails,
    ClockJump,
    CommitFails,
    Corrupt,
    Crash,
    Declines,
    Delay,
    Drop,
    Duplicate,
    Harness,
    LosesReplies,
    LosesShard,
    Raises,
    ReadFails,
    Reorder,
    Silent,
    Slow,
    an_order,
)
from order_sagas.system.harness.plans import DAMAGES, POINTS
from order_sagas.system.harness.simulation import check, let_end
from order_sagas.system.harness.vocabulary import ORDER_BUSINESS

waited_for, records = (
    st.sampled_from(ORDER_BUSINESS.waited_for),
    st.sampled_from(ORDER_BUSINESS.every),
)
services, waits = st.sampled_from(["payments", "stock"]), st.sampled_from([0.0, 0.5, 12.0, 40.0])
soon = st.integers(1, 5)
record_faults = st.one_of(
    st.builds(Drop, waited_for, nth=st.integers(1, 3)),
    st.builds(Duplicate, records, later=waits),
    st.builds(Delay, records, nth=st.integers(0, 2), seconds=waits),
    st.builds(Reorder, records),
    st.builds(Corrupt, waited_for, how=st.sampled_from(DAMAGES)),
)
worker_faults = st.one_of(
    st.builds(Crash, st.sampled_from(POINTS), soon, waits),
    st.builds(CommitFails, soon, soon, st.sampled_from(["before", "during", "after"])),
    st.builds(ReadFails, soon),
    st.builds(LosesShard, soon),
    st.builds(CallFails, nth=soon, how=st.sampled_from(["before", "after", "lost"])),
)


class FaultySystem(RuleBasedStateMachine):
    """Orders, faults, and passing time in any order; no rule may be broken at any commit."""

    @initialize(
        seed=st.integers(0, 2**16),
        log=st.sampled_from(["embedded", "topics"]),
        local=st.booleans(),
        batch_size=st.sampled_from([1, 5, 500]),
        stock=st.integers(0, 20),
    )
    def start(self, seed, log, local, batch_size, stock):
        self.system = Harness(
            seed, log=log, local=local, batch_size=batch_size, stock={"SKU-1": stock, "SKU-2": 9}
        )
        self.system.__enter__()

    @rule(first=st.integers(1, 3), second=st.integers(0, 3))
    def place_an_order(self, first, second):
        wanted = {"SKU-1": first, "SKU-2": second}
        self.system.place(an_order({sku: n for sku, n in wanted.items() if n}))

    @rule(seconds=st.sampled_from([0.0, 0.04, 1.0, 31.0, 120.0]))
    def time_passes(self, seconds):
        self.system.advance(seconds)

    @rule(fault=record_faults)
    def a_record_has_a_fault(self, fault):
        self.system.on(fault)

    @rule(fault=worker_faults)
    def the_worker_has_a_fault(self, fault):
        self.system.on(fault)

    @rule(
        kind=st.sampled_from([Silent, LosesReplies, Slow, AnswersTwice, Declines]),
        service=services,
        lasts=st.sampled_from([1.0, 50.0, 200.0]),
    )
    def a_service_has_a_fault(self, kind, service, lasts):
        now = self.system.elapsed
        self.system.on(kind(service, "", now, now + lasts))

    @rule(service=services)
    def a_handler_raises(self, service):
        self.system.on(Raises(service))

    @rule(seconds=st.sampled_from([-60.0, -0.5, 30.0]))
    def the_clock_is_set(self, seconds):
        self.system.on(ClockJump(self.system.elapsed, seconds))

    @precondition(lambda self: self.system.placed)
    @rule(data=st.data())
    def an_operator_cancels(self, data):
        self.system.operator(data.draw(st.sampled_from(self.system.placed)), "cancel")

    @rule()
    def the_worker_dies(self):
        self.system.crash()

    @rule()
    def a_worker_starts(self):
        self.system.restart()

    @invariant()
    def no_rule_is_broken(self):
        if hasattr(self, "system"):
            assert [] == [str(broken) for broken in self.system.ledger.violations]

    def teardown(self):
        if not hasattr(self, "system"):
            return
        try:
            let_end(self.system)
            check(self.system)
            assert [] == [str(broken) for broken in self.system.ledger.violations]
        finally:
            self.system.close()


TestFaultySystem = FaultySystem.TestCase
TestFaultySystem.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
