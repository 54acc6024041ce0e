"""External calls and batches: calls are made once despite rollbacks, and are limited in number."""

from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest

from order_sagas.actors.entities import Notification, Payment
from order_sagas.actors.services.payment_gateway import (
    Approved,
    Charge,
    Declined,
    NoAnswer,
    Outcome,
    Refund,
)
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.observers import ObservedContext, Observer
from order_sagas.bridges.storage.log_queues import LEFT, LOG
from tests.support.calls import HeldCalls
from tests.support.embedded import EmbeddedSystem, an_order


class MailServer:
    """A mail server that counts its mails, and fails a number of times first."""

    name = "mail"
    local = False

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.sent: Counter[str] = Counter()

    def send(self, notification: Notification, now: float) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionRefusedError("port 25 is closed")
        self.sent[notification.order_id] += 1


class Provider:
    """A payment provider with given answers to refunds, which may be exceptions."""

    local = False

    def __init__(self, refund: Outcome | Exception | None = None) -> None:
        self.answer = Approved("re_1") if refund is None else refund

    def charge(self, charge: Charge) -> Outcome:
        return Approved("ch_1")

    def refund(self, refund: Refund) -> Outcome:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Sizes(Observer):
    """The number of deliveries in the first round of each batch, and of its records."""

    def __init__(self) -> None:
        self.deliveries: list[int] = []
        self.batches: list[tuple[int, int]] = []
        """Records and outcomes."""

    def committed(self, batch: Batch, context: ObservedContext, seconds: float) -> None:
        self.deliveries.append(len(batch.tickets))
        self.batches.append((batch.records, len(batch.outcomes)))


class Trial:
    """A system whose calls are made when the test decides."""

    def __init__(self, directory: Path, **more: Any) -> None:
        self.runners: list[HeldCalls] = []
        self.mails = MailServer()
        self.sizes = Sizes()
        self.system = EmbeddedSystem(
            directory, **{"channel": self.mails, "call_runner": self._runner, **more}
        )
        self.system.parts = attrs.evolve(self.system.parts, observers=(self.sizes,))

    def _runner(self) -> HeldCalls:
        self.runners.append(HeldCalls())
        return self.runners[-1]

    @property
    def calls(self) -> HeldCalls:
        """The calls of the running system."""
        return self.runners[-1]

    def lose_the_shards(self) -> None:
        """Another worker claims every shard, so that the next commit is refused."""
        store = self.system.store
        store.claim([LOG, LEFT], [*range(store.partitions)])

    def let_all_go(self) -> None:
        """Make calls until none is held."""
        while self.calls.held:
            self.calls.let_go()

    def reported(self) -> Any:
        """The report of the processor."""
        assert self.system.running
        return self.system.running.report()


@pytest.fixture
def trial(tmp_path: Path) -> Any:
    """Make trials, and stop them afterwards."""
    made: list[Trial] = []

    def make(**more: Any) -> Trial:
        trial = Trial(tmp_path, **more)
        made.append(trial)
        trial.system.start()
        trial.system.load({"PEN": 10_000})
        return trial

    yield make
    for each in made:
        each.system.__exit__()


def test_a_rollback_does_not_repeat_a_mail_being_sent(trial: Any) -> None:
    """The batch of another order is rolled back, and every shard is gained once more."""
    it = trial()
    it.system.put(an_order("o-1"))
    it.lose_the_shards()
    it.system.put(an_order("o-2"))
    it.let_all_go()

    assert {"o-1": 1, "o-2": 1} == it.mails.sent
    assert ["o-1", "o-2"] == [call.key for call in it.calls.begun]
    sent = it.system.entity(Notification, "o-1")
    assert (Notification.SENT, 1) == (sent.status, sent.sends)
    assert [] == it.system.violations()


def test_the_outcome_of_a_rolled_back_batch_is_used_again(trial: Any) -> None:
    """The batch that stores that the mail was sent is refused; the mail is not sent again."""
    it = trial()
    it.system.put(an_order("o-1"))
    it.lose_the_shards()
    it.let_all_go()

    assert {"o-1": 1} == it.mails.sent
    assert Notification.SENT == it.system.entity(Notification, "o-1").status
    assert {} == it.reported().calls


def test_a_rollback_makes_no_retry_early_or_twice(trial: Any) -> None:
    """After the mail server was down, the timer that was set is the only one."""
    it = trial()
    it.mails.away = 1
    it.system.advance(1.0)  # calls that failed before the start are retried at once
    it.system.put(an_order("o-1"))
    it.calls.let_go()
    it.lose_the_shards()
    it.system.put(an_order("o-2"))

    assert ["o-1", "o-2"] == [call.key for call in it.calls.begun]
    assert it.system.base
    waking = [timer.payload for timer in it.system.base.timers()]
    assert 1 == sum(isinstance(each, tuple) and "o-1" == each[1].order_id for each in waking)

    it.system.advance(1.0)

    assert ["o-1", "o-2", "o-1"] == [call.key for call in it.calls.begun]
    it.let_all_go()
    it.system.advance(600.0)
    assert {"o-1": 1, "o-2": 1} == it.mails.sent


def test_after_a_restart_no_batch_exceeds_its_size(trial: Any) -> None:
    """198 mails are pending, and new orders arrive while they are sent."""
    it = trial(settings={"batch_size": 10})
    it.system.put(*[an_order(f"o-{n}") for n in range(198)])
    it.system.crash()
    it.sizes.deliveries.clear()
    it.system.start()

    assert 10 == max(it.sizes.deliveries)
    assert 198 == len(it.calls.begun)

    it.sizes.deliveries.clear()
    it.let_all_go()

    assert 10 >= max(it.sizes.deliveries)
    assert {f"o-{n}": 1 for n in range(198)} == it.mails.sent
    assert [] == it.system.violations()


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_outcomes_and_records_share_batches(trial: Any, batch_size: int) -> None:
    """With any number of one kind, the other kind does not wait for the last of them."""
    it = trial(settings={"batch_size": batch_size})
    it.system.put(*[an_order(f"o-{n}") for n in range(30)])
    it.system.crash()
    it.system.append(
        *(it.system.log.outgoing("order-events", f"n-{n}", b'{"status":"NONE"}') for n in range(30))
    )
    it.sizes.batches.clear()
    it.system.start()
    records = [records for records, _ in it.sizes.batches]
    outcomes = [outcomes for _, outcomes in it.sizes.batches]

    assert (30, 30) == (sum(records), sum(outcomes))
    assert batch_size == max(map(sum, it.sizes.batches))
    both = sum(30 - sum(each[: len(each) // 2]) < 30 for each in (records, outcomes))
    assert 2 == both  # half of the batches have handled some of both


def test_calls_above_the_capacity_wait_in_the_database(trial: Any) -> None:
    """None is lost, none is made twice, and there are never more under way."""
    it = trial(call_capacity=5, settings={"batch_size": 10})
    it.system.put(*[an_order(f"o-{n}") for n in range(50)])
    most = 0
    while it.calls.held:
        most = max(most, len(it.calls.held), *it.reported().calls.values())
        it.calls.let_go(1)

    assert 5 == most
    assert {f"o-{n}": 1 for n in range(50)} == it.mails.sent
    assert 50 == len(it.calls.begun)
    assert [] == it.system.violations()


def test_a_retry_above_the_capacity_is_found_after_newer_ones(trial: Any) -> None:
    """The database is read again from the beginning."""
    it = trial(call_capacity=2)
    it.mails.away = 3
    it.system.put(*[an_order(f"o-{n}") for n in range(10)])
    it.let_all_go()
    it.system.advance(600.0)
    it.let_all_go()
    it.system.advance(600.0)
    it.let_all_go()

    assert {f"o-{n}": 1 for n in range(10)} == it.mails.sent


def test_pending_calls_of_a_paused_service_wait_in_the_database(trial: Any) -> None:
    """A restart does not read a million pending mails into memory."""
    it = trial()
    it.system.put(an_order("o-1"))
    it.system.crash()
    rows = it.system.log.db
    with rows.transaction() as db:
        db.execute("INSERT INTO pauses (name, by, why, since) VALUES ('notifications','','',0)")
    it.system.start()

    assert [] == it.calls.begun

    with rows.transaction() as db:
        db.execute("UPDATE pauses SET until = 1")
    it.system.run()
    it.system.advance(5.0)

    assert ["o-1"] == [call.key for call in it.calls.begun]


def test_a_stop_waits_for_running_calls_and_stores_their_outcomes(trial: Any) -> None:
    """Otherwise the next start would send the mail again."""
    it = trial()
    it.system.put(an_order("o-1"))
    system = it.system
    assert system.base

    class EndsInTheMeantime(HeldCalls):
        """Makes its calls when it is stopped."""

        def stop(self) -> Any:
            self.let_go()
            return []

    it.calls.__class__ = EndsInTheMeantime

    assert system.stop()
    assert {"o-1": 1} == it.mails.sent
    assert Notification.SENT == system.entity(Notification, "o-1").status


def test_a_stop_does_not_wait_for_a_hanging_call(trial: Any) -> None:
    """It stays pending, and the next start makes it again."""
    it = trial()
    it.system.put(an_order("o-1"))

    assert it.system.stop()
    assert Notification.PENDING == it.system.entity(Notification, "o-1").status

    it.system.start()

    assert ["o-1"] == [call.key for call in it.calls.begun]


# --- what is told of failures -------------------------------------------------------------------


def cancelled(it: Trial, order_id: str = "o-1") -> Payment:
    """Run an order without stock up to the last attempt of its refund."""
    it.system.put(an_order(order_id, lines=an_order(order_id).lines * 10_000))
    for _ in range(100):
        it.let_all_go()
        it.system.advance(60.0)
    payment = it.system.entity(Payment, order_id)
    assert payment
    return payment


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (
            Declined("account_frozen", "ask the bank"),
            "account_frozen",
            "refund declined: account_frozen: ask the bank",
        ),
        (
            ConnectionResetError("reset by peer"),
            "outcome_unknown",
            "refund, outcome unknown: ConnectionResetError: reset by peer",
        ),
        (
            NoAnswer(),
            "outcome_unknown",
            "refund, outcome unknown: the provider gave no answer",
        ),
    ],
)
def test_the_cause_of_a_failed_refund_is_stored(
    trial: Any, answer: Any, code: str, reason: str
) -> None:
    """Declined and unknown are distinguished; the saga only knows that no reply came."""
    it = trial(gateway=Provider(answer))
    payment = cancelled(it)

    assert "NEEDS_ATTENTION" == it.system.status("o-1")
    assert (Payment.PENDING, code, reason) == (payment.status, payment.code, payment.reason)


def test_a_success_clears_the_stored_error(trial: Any) -> None:
    """A payment that was charged at the second attempt has no error."""
    it = trial(gateway=(provider := Provider()))
    charge, provider.charge = provider.charge, _raise  # type: ignore[method-assign]
    it.system.put(an_order("o-1"))
    it.calls.let_go()
    failed = it.system.entity(Payment, "o-1")
    provider.charge = charge  # type: ignore[method-assign]
    for _ in range(5):
        it.system.advance(60.0)
        it.let_all_go()
    paid = it.system.entity(Payment, "o-1")

    assert "charge, outcome unknown: RuntimeError: broken" == failed.reason
    assert (Payment.COMPLETED, "", "") == (paid.status, paid.code, paid.reason)


def _raise(charge: Charge) -> Outcome:
    raise RuntimeError("broken")
