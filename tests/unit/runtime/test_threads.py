"""Other threads wake the loop at once, and an idle loop uses no CPU."""

import os
import signal
import threading
from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.system.runtime import EventLoopBase
from tests.unit.runtime.cast import Scripted
from tests.unit.runtime.conftest import Start

PATIENCE = 30
"""Time limit in seconds; reached only by a failing test."""


class Echo(Actor):
    """Answers with the message and the thread that it ran in."""

    def receiveMessage(self, message: object, sender: ActorAddress) -> None:
        if not isinstance(message, ActorExitRequest):
            self.send(sender, (message, threading.current_thread().name))


def test_a_wakeup_fires_without_a_caller(start: Start) -> None:
    """On the thread of the loop."""
    system, _ = start(threaded=True, clock=SystemClock())
    fired = threading.Event()

    class Sleeper(Actor):
        def receiveMessage(self, message: object, sender: ActorAddress) -> None:
            if message == "sleep":
                self.wakeupAfter(timedelta(milliseconds=1))
            else:
                fired.set()

    system.tell(system.createActor(Sleeper), "sleep")

    assert fired.wait(PATIENCE)


def test_each_private_context_gets_its_own_answers(start: Start) -> None:
    """From many threads at once."""
    system, _ = start(threaded=True, clock=SystemClock())
    echo = system.createActor(Echo)
    answers: dict[int, list[Any]] = {}

    def ask(name: int) -> None:
        with system.private() as context:
            answers[name] = [context.ask(echo, (name, n), PATIENCE) for n in range(20)]

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert {name: [((name, n), "actors") for n in range(20)] for name in range(8)} == answers


def test_other_threads_wake_a_driven_loop(start: Start) -> None:
    """Actors run in the driving thread, and a stop from elsewhere ends it."""
    system, base = start(clock=SystemClock())
    echo = system.createActor(Echo)
    answers = []

    def ask_and_stop() -> None:
        with system.private() as context:
            answers.append(context.ask(echo, "hello", PATIENCE))
        base.stop()

    thread = threading.Thread(target=ask_and_stop)
    thread.start()
    base.run_forever()
    thread.join(PATIENCE)

    assert [("hello", threading.current_thread().name)] == answers


def test_a_send_from_an_actors_own_thread_wakes_the_loop(start: Start) -> None:
    """A result from a thread of an actor is delivered at once."""
    system, _ = start(threaded=True, clock=SystemClock())

    def work_elsewhere(actor: Scripted, sender: ActorAddress) -> None:
        threading.Timer(0, lambda: actor.send(sender, "found")).start()

    assert "found" == system.ask(system.createActor(Scripted), work_elsewhere, PATIENCE)


def test_an_idle_loop_does_not_turn(start: Start) -> None:
    """Between two messages the loop makes no turns."""
    system, base = start(threaded=True, clock=SystemClock())
    echo = system.createActor(Echo)
    system.ask(echo, "settle", PATIENCE)
    before = base.turns

    # Nothing may happen in this time; nothing is waited for.
    assert system.listen(0.3) is None

    assert base.turns - before <= 1


@pytest.mark.parametrize("after", [0.0, 0.05])
def test_a_signal_handler_may_stop_the_loop(start: Start, after: float) -> None:
    """While the loop sleeps, and while it runs."""
    _, base = start(clock=SystemClock())
    previous = signal.signal(signal.SIGUSR1, lambda *_: base.stop())
    try:
        threading.Timer(after, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        base.run_forever()
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_a_shutdown_ends_waiting_calls() -> None:
    """A thread in `ask` gets None."""
    base = EventLoopBase()
    system = ActorSystem(base, transientUnique=True)
    silent = system.createActor(Scripted)
    asked = threading.Event()
    answers = []

    def ask() -> None:
        with system.private() as context:
            context.tell(silent, lambda *_: asked.set())
            answers.append(context.listen(PATIENCE))

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(PATIENCE)
    base.shutdown()
    thread.join(PATIENCE)

    assert [None] == answers


def test_an_actor_may_shut_the_system_down() -> None:
    """It exits too, after its handler has returned."""
    base = EventLoopBase()
    system = ActorSystem(base, transientUnique=True)

    system.tell(system.createActor(Scripted), lambda actor, _: actor.actorSystemShutdown())
    system.shutdown()

    assert base.closed
    assert [] == base.actors()


def test_a_crash_from_another_thread_ends_a_busy_system() -> None:
    """With many messages under way; the thread of the loop ends too."""
    base = EventLoopBase()
    system = ActorSystem(base, transientUnique=True)
    busy = threading.Event()

    class Restless(Actor):
        def receiveMessage(self, message: object, sender: ActorAddress) -> None:
            self.wakeupAfter(0)
            self.send(self.createActor(Scripted), "hello")
            busy.set()

    for _ in range(20):
        system.tell(system.createActor(Restless), "start")
    assert busy.wait(PATIENCE)
    base.crash()
    assert base.thread is not None
    base.thread.join(PATIENCE)

    assert not base.thread.is_alive()
    assert ([], []) == (base.actors(), base.timers())
