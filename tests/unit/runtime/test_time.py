"""Timers fire in order and in virtual time; a run can be repeated from one integer."""

from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import ActorAddress, ActorExitRequest, WakeupMessage

from order_sagas.system.runtime import Fifo, SeededShuffle, VirtualClock
from tests.unit.runtime.cast import Scripted, instance
from tests.unit.runtime.conftest import Start


def test_timers_fire_by_due_time_and_ties_in_the_order_they_were_set(start: Start) -> None:
    """For timers of any actors."""
    system, base = start()
    one, other = system.createActor(Scripted), system.createActor(Scripted)
    seen: list[Any] = []
    instance(base, one).seen = instance(base, other).seen = seen
    for address, seconds, payload in [
        (one, 2, "late"),
        (one, 1, "first of three"),
        (other, 1, "second of three"),
        (one, 1, "third of three"),
    ]:
        system.tell(address, lambda actor, _, s=seconds, p=payload: actor.wakeupAfter(s, p))

    base.advance(5)

    assert ["first of three", "second of three", "third of three", "late"] == [
        wakeup.payload for wakeup in seen
    ]


def test_each_timer_fires_at_its_own_time(start: Start) -> None:
    """Also those that are set by what another one started, on the way."""
    system, base = start(clock=VirtualClock(start=1_000.0))
    times = []

    class Ticker(Scripted):
        def receiveMessage(self, message: object, sender: ActorAddress) -> None:
            times.append(base.clock.now())
            self.wakeupAfter(timedelta(days=30))

    system.tell(system.createActor(Ticker), "start")

    handled = base.advance(90 * 86_400)

    assert [1_000.0 + day * 86_400 for day in (0, 30, 60, 90)] == times
    assert 3 == handled
    assert (120 * 86_400) == base.next_timer()


def test_a_wakeup_gives_back_the_period_and_payload_it_was_set_with(start: Start) -> None:
    """The same objects."""
    system, base = start()
    address = system.createActor(Scripted)
    period, payload = timedelta(seconds=1), object()
    system.tell(address, lambda actor, _: actor.wakeupAfter(period, payload))

    base.advance(1)

    (wakeup,) = instance(base, address).seen
    assert isinstance(wakeup, WakeupMessage)
    assert wakeup.delayPeriod is period
    assert wakeup.payload is payload


def test_the_timers_of_an_actor_are_removed_when_it_exits(start: Start) -> None:
    """And no timer is left."""
    system, base = start()
    address = system.createActor(Scripted)
    system.tell(address, lambda actor, _: actor.wakeupAfter(5))
    assert 5 == base.next_timer()

    system.tell(address, ActorExitRequest())

    assert base.next_timer() is None
    assert 0 == base.advance(10)


def test_asking_passes_virtual_time_until_the_answer(start: Start) -> None:
    """And not more."""
    system, base = start()

    class Slow(Scripted):
        def receiveMessage(self, message: object, sender: ActorAddress) -> None:
            if isinstance(message, WakeupMessage):
                self.send(message.payload, "done")
            else:
                self.wakeupAfter(3_600, sender)

    assert "done" == system.ask(system.createActor(Slow), "go", timedelta(days=1))
    assert 3_600 == base.clock.monotonic()


def test_a_missing_answer_takes_the_timeout(start: Start) -> None:
    """In virtual time; without a timeout, the wait ends when nothing is left to do."""
    system, base = start()
    address = system.createActor(Scripted)

    assert system.ask(address, "hello", 60) is None
    assert 60 == base.clock.monotonic()
    assert system.ask(address, "hello") is None
    assert 60 == base.clock.monotonic()


def test_time_stands_still_while_the_system_runs_until_idle(start: Start) -> None:
    """Only what is due fires."""
    system, base = start()
    address = system.createActor(Scripted)
    system.tell(address, lambda actor, _: (actor.wakeupAfter(0, "now"), actor.wakeupAfter(1)))

    assert ["now"] == [wakeup.payload for wakeup in instance(base, address).seen]
    assert 0 == base.run_until_idle()


def test_time_does_not_go_back(start: Start) -> None:
    """Neither for the clock nor for the loop."""
    _, base = start()

    with pytest.raises(ValueError, match="go back"):
        base.advance(-1)
    with pytest.raises(ValueError, match="go back"):
        VirtualClock().advance(-1)


def test_only_virtual_time_can_be_advanced(start: Start) -> None:
    """A system clock cannot be advanced, nor a virtual one by the loop's own thread."""
    _, base = start(clock=None)

    with pytest.raises(ValueError, match="virtual"):
        base.advance(1)
    with pytest.raises(ValueError, match="threaded=False"):
        start(threaded=True)


def _trace(start: Start, policy) -> list[Any]:
    """The events among ten actors that send and sleep for a minute, in order."""
    system, base = start(policy=policy)
    trace: list[Any] = []

    class Gossip(Scripted):
        def receiveMessage(self, message, sender) -> None:
            trace.append((base.clock.now(), str(self.myAddress), str(sender), str(message)))
            if isinstance(message, int) and message:
                for _ in range(2):
                    self.send(self.createActor(Gossip), message - 1)
                self.wakeupAfter(message)

    for _ in range(3):
        base.inject(base.systemAddress, system.createActor(Gossip), 4)
    base.advance(60)
    return trace


def test_a_run_is_repeated_from_its_seed(start: Start) -> None:
    """Same addresses, same order; another seed gives another order of the same things."""
    first, again = (_trace(start, SeededShuffle(7)) for _ in range(2))
    other, plain = _trace(start, SeededShuffle(8)), _trace(start, Fifo())

    assert first == again
    assert first != other
    assert first != plain
    assert len(first) == len(other) == len(plain)


def test_messages_of_timers_do_not_wait_for_all_due_timers(start: Start) -> None:
    """With thousands of due timers, messages of the first are delivered before the last fire."""
    system, base = start(clock=VirtualClock())
    happened: list[tuple[str, int]] = []

    class Sleeper(Scripted):
        def receiveMessage(self, message: object, sender: ActorAddress) -> None:
            if isinstance(message, WakeupMessage):
                happened.append(("woke", message.payload))
                self.send(self.myAddress, message.payload)
            elif isinstance(message, int):
                happened.append(("went on", message))
            else:
                super().receiveMessage(message, sender)

    sleeper = system.createActor(Sleeper)
    for number in range(3000):
        system.tell(sleeper, lambda actor, _, n=number: actor.wakeupAfter(1, n))
    base.advance(1)

    assert [*range(3000)] == [number for what, number in happened if what == "woke"]
    assert [*range(3000)] == [number for what, number in happened if what == "went on"]
    assert happened.index(("went on", 0)) < happened.index(("woke", 1000))


def test_due_timers_fire_despite_many_messages(start: Start) -> None:
    """An actor that never stops sending does not delay timers."""
    clock = VirtualClock()
    system, base = start(clock=clock)
    woke: list[int] = []

    class Talker(Scripted):
        def receiveMessage(self, message: object, sender: ActorAddress) -> None:
            if isinstance(message, WakeupMessage):
                woke.append(message.payload)
            elif message == "on":
                if len(woke) < 3000:
                    self.send(self.myAddress, "on")
            else:
                super().receiveMessage(message, sender)

    talker = system.createActor(Talker)
    for number in range(3000):
        system.tell(talker, lambda actor, _, n=number: actor.wakeupAfter(1, n))
    base.inject(talker, talker, "on")
    clock.jump_to(clock.monotonic() + 1)
    base.run_until_idle()

    assert [*range(3000)] == woke
