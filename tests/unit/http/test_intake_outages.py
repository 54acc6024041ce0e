"""Orders over HTTP in an outage of the log: few attempts, immediate answers, and recovery.

On virtual time; the log is the embedded one, on a database of the test's own that can be away.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from thespian.actors import ActorSystem

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.http.api.intake_actor import (
    Answer,
    AskLogStatus,
    OrderIntakeActor,
    StartIntake,
    StoreOrder,
)
from order_sagas.bridges.intake.intake import Verdict
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.system.runtime import EventLoopBase, VirtualClock
from tests.support.embedded import an_order

TURNED_AWAY = "the database is away"


class Intake:
    """The actor on virtual time, and a database that can fail when it is opened or written."""

    def __init__(self, directory: Path, seed: str = "one") -> None:
        self.clock = VirtualClock(1000.0)
        self.base = EventLoopBase(self.clock, threaded=False)
        self.actors = ActorSystem(self.base, transientUnique=True)
        self.actor = self.actors.createActor(OrderIntakeActor)
        self.database = f"sqlite:///{directory / 'orders.db'}"
        self.is_away = self.is_read_only = self.is_slow = self.breaks_once = False
        self.bug: Exception | None = None
        self.brought = 0
        self.attempts: list[float] = []
        self.answers: dict[int, Verdict | Exception] = {}
        self.slow: list[Callable[[], None]] = []
        self.opened = self.open_logs = 0
        serve = StartIntake(
            self._open, self._answer, lambda: None, self._tell, self._in_background, seed
        )
        self._tell(serve)

    def bring(self, count: int = 1, every: float = 0.0) -> None:
        """Submit a number of orders, with a pause after each."""
        for _ in range(count):
            self._tell(StoreOrder(self.brought, an_order(f"o-{self.brought}")))
            self.brought += 1
            self.base.advance(every)

    def finish_slow(self) -> None:
        """End the attempts under way; while `is_slow`, none ends by itself."""
        waiting, self.slow = self.slow, []
        for each in waiting:
            each()
        self.base.run_until_idle()

    @property
    def refused(self) -> int:
        return sum(isinstance(each, StoreUnavailableError) for each in self.answers.values())

    @property
    def accepted(self) -> int:
        return sum(each is Verdict.ACCEPTED for each in self.answers.values())

    @property
    def problem(self) -> str:
        return str(self.actors.ask(self.actor, AskLogStatus(), 1.0).problem)

    def _tell(self, message: Any) -> None:
        self.base.inject(self.actor, self.actor, message)
        self.base.run_until_idle()

    def _answer(self, answers: Sequence[Answer]) -> None:
        self.answers.update(answers)

    def _open(self) -> LogWriter:
        self.attempts.append(self.clock.now())
        if self.is_away:
            raise StoreUnavailableError(TURNED_AWAY)
        if self.bug:
            raise self.bug
        self.opened += 1
        self.open_logs += 1
        return _Log(self)

    def _in_background(self, call: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

        if self.is_slow:
            self.slow.append(run)
        else:
            run()
        return future


class _Log(EmbeddedLog):
    def __init__(self, intake: Intake) -> None:
        super().__init__(intake.database, 4)
        self._intake = intake

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        intake = self._intake
        if intake.is_away or intake.is_read_only or intake.breaks_once:
            intake.breaks_once = False
            raise StoreUnavailableError(TURNED_AWAY)
        with super().transaction() as cursor:
            yield cursor

    def close(self) -> None:
        self._intake.open_logs -= 1
        super().close()


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    """An intake whose log is open."""
    intake = Intake(tmp_path)
    yield intake
    intake.is_slow = False
    intake.finish_slow()
    intake.actors.shutdown()
    assert 0 == intake.open_logs


@pytest.mark.parametrize("fault", ["is_away", "is_read_only"])
def test_an_outage_costs_few_attempts_however_many_requests_come(
    intake: Intake, fault: str
) -> None:
    """Also if the log can be opened and every transaction fails. Then the intake recovers."""
    setattr(intake, fault, True)
    intake.bring(600, every=0.1)  # a minute of ten requests a second
    during = len(intake.attempts)
    intake.base.advance(60.0)  # a minute without clients

    assert during <= 30
    assert len(intake.attempts) - during <= 30
    assert 1 >= len(intake.base.timers())
    assert 600 == intake.refused

    setattr(intake, fault, False)
    intake.base.advance(10.0)
    intake.bring(5)

    assert 5 == intake.accepted
    assert "" == intake.problem
    assert [] == intake.base.timers()


def test_pauses_grow_with_jitter(tmp_path: Path) -> None:
    """Up to five seconds, shortened by up to a half, so that processes do not reconnect
    together."""
    times = []
    for seed in ("one", "other"):
        intake = Intake(tmp_path, seed)
        intake.is_away = True
        intake.bring()
        intake.base.advance(3 * 3600.0)
        times.append(intake.attempts)
        intake.actors.shutdown()
    pauses = [after - before for before, after in pairwise(times[0][1:])]

    assert pauses[0] <= 0.25
    assert all(2.5 <= pause <= 5.0 for pause in pauses[10:])
    assert times[0] != times[1]


def test_a_broken_connection_is_replaced_at_once(intake: Intake) -> None:
    """After a restart of the database, one group is refused, and the next is accepted."""
    intake.breaks_once = True
    intake.bring(2)

    assert (1, 1) == (intake.refused, intake.accepted)


def test_orders_do_not_wait_for_attempts_in_a_long_outage(intake: Intake) -> None:
    """They wait for the first, which may succeed; while others are under way, they are refused."""
    intake.is_away = intake.is_slow = True
    intake.bring(2)
    waiting = 2 - len(intake.answers)
    intake.finish_slow()
    intake.base.advance(5.0)  # another attempt is under way now
    assert 1 == len(intake.slow)
    intake.bring(2)

    assert 1 == waiting
    assert 4 == intake.refused
    assert TURNED_AWAY == intake.problem


def test_a_log_opened_after_the_end_of_the_actor_is_closed(tmp_path: Path) -> None:
    """A process may stop while an attempt is under way."""
    intake = Intake(tmp_path)
    intake.breaks_once = intake.is_slow = True
    intake.bring()
    intake.actors.shutdown()
    intake.is_slow = False
    opened = intake.opened
    intake.finish_slow()

    assert opened + 1 == intake.opened
    assert 0 == intake.open_logs


def test_an_error_that_is_no_outage_is_retried_too(intake: Intake) -> None:
    """Such as a configuration that is corrected later."""
    intake.breaks_once, intake.bug = True, RuntimeError("no such module")
    intake.bring()
    problem, intake.bug = intake.problem, None
    intake.base.advance(5.0)
    intake.bring()

    assert "no such module" == problem
    assert 1 == intake.accepted
