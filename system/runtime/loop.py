"""The event loop: whose thread runs the actors, when it sleeps, and what wakes it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from thespian.actors import ActorSystemFailure, ActorSystemMessage, WakeupMessage

from order_sagas.actors.clock import Clock
from order_sagas.system.runtime.cell import Cell
from order_sagas.system.runtime.policies import Envelope, Policy
from order_sagas.system.runtime.timers import TimerHeap
from order_sagas.system.runtime.virtual_clock import VirtualClock

# However busy the actors are, timers are looked at after this many messages.
_BATCH = 512
# So many timers fire at once; when more are due, what these have brought about comes first, but for
# at most so many batches of messages. A hundred thousand due together hold up nobody else that way.
_TIMERS = 512
_PATIENCE = 16


class EventLoop:
    """Delivers messages and fires timers, one at a time, in one thread.

    With `threaded` that is a daemon thread of its own. Otherwise it is the driving thread: the one
    that made the loop, or the last to call one of the `run_...` methods.
    """

    def __init__(self, clock: Clock, policy: Policy, threaded: bool) -> None:
        self.clock = clock
        self._virtual = clock if isinstance(clock, VirtualClock) else None
        if threaded and self._virtual is not None:
            raise ValueError("a virtual clock is moved by the thread that drives: threaded=False")
        self.mailbox = policy.mailbox()
        self.timer_heap = TimerHeap()
        self.post: Callable[[Envelope], Any] = self.mailbox.append
        self.turns = 0
        self._held_back = 0
        """For so many turns yet, timers that are due wait for messages."""
        self.asleep = False
        self.closed = False
        self._closing = False
        self._stopping = False
        self._threaded = threaded
        self.thread: threading.Thread | None = None
        self._driver = threading.get_ident()
        self._driving = threading.Lock()
        # A SimpleQueue because its `put` is safe in signal handlers, which no Event is.
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._settlers: list[threading.Event] = []

    # What the layer above does with what the loop finds.

    def deliver_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deliver one of Thespian's own messages to a living actor."""
        raise NotImplementedError

    def retry(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deal with an exception that came out of a handler; called while it is being handled."""
        raise NotImplementedError

    def undeliverable(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deal with a message whose receiver is dead."""
        raise NotImplementedError

    def quit(self, cell: Cell) -> None:
        """End an actor that called `sys.exit`, its children first."""
        raise NotImplementedError

    def all_gone(self) -> bool:
        """Whether no actor is left."""
        raise NotImplementedError

    def end(self) -> None:
        """Close the system; every actor has exited."""
        raise NotImplementedError

    # Driving it.

    def run_forever(self) -> None:
        """Run the actors until `stop`, or until the system shuts down.

        A stop that came earlier makes it return at once. With a virtual clock, time jumps to the
        next timer whenever nothing is ready.
        """
        with self._drive():
            self._run()
            self._stopping = False

    def run_until_idle(self) -> int:
        """Deliver what is ready and fire what is due until nothing is; time does not move.

        Returns how many messages were handled.
        """
        handled = 0
        with self._drive():
            while True:
                handled += self._turn()
                if not self.mailbox and not self._timer_due():
                    return handled

    def run_until(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Run the actors, and wait with them, until `done()` or until `seconds` have passed.

        With a virtual clock waiting is a jump to the next timer; without a limit it ends when
        there is none. Returns what `done()` said last. `done` is asked between batches of messages.
        """
        deadline = None if seconds is None else self.clock.monotonic() + seconds
        with self._drive():
            while not done() and not self.closed and not self._stopping:
                self._turn()
                if done():
                    break
                if self.mailbox:
                    if deadline is not None and self.clock.monotonic() > deadline:
                        break
                elif not self._pass_time(deadline):
                    break
        return done()

    def advance(self, seconds: float) -> int:
        """Let virtual time pass, each timer firing at its own time with what follows from it.

        Returns how many messages were handled. Raises ValueError without a VirtualClock.
        """
        if self._virtual is None:
            raise ValueError("only a virtual clock can be advanced")
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        until = self._virtual.monotonic() + seconds
        handled = self.run_until_idle()
        while (due := self.timer_heap.next_due()) is not None and due <= until:
            self._virtual.jump_to(due)
            handled += self.run_until_idle()
        self._virtual.jump_to(until)
        return handled

    def next_timer(self) -> float | None:
        """When the next timer is due, in the clock's monotonic seconds; None without timers."""
        return self.timer_heap.next_due()

    def stop(self) -> None:
        """Make `run_forever` return after the batch in hand; safe anywhere, signals included."""
        self._stopping = True
        self._wakes.put(None)

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is ready, whoever drives; False if `timeout` seconds passed first.

        Inside an actor it returns False at once.
        """
        if self.closed or self.running_here():
            return False
        if self.may_drive():
            self.run_until_idle()
            return True
        settled = threading.Event()
        self._settlers.append(settled)
        self._wakes.put(None)
        return settled.wait(timeout)

    # What senders need.

    def wake(self) -> None:
        """Make a sleeping loop look again."""
        if self.asleep:
            self.asleep = False
            self._wakes.put(None)

    def may_drive(self) -> bool:
        """Whether running the actors is up to this thread, and it is not at it already."""
        return (
            not self._threaded
            and not self.closed
            and not self._driving.locked()
            and self._driver == threading.get_ident()
        )

    def running_here(self) -> bool:
        """Whether this is called from within an actor."""
        return self._driving.locked() and self._driver == threading.get_ident()

    def refuse_to_wait(self) -> None:
        """Raise ActorSystemFailure if whoever would wait here keeps the loop from running."""
        if self.running_here():
            raise ActorSystemFailure("an actor cannot wait: nothing else runs until it returns")

    # Inside.

    def start_thread(self) -> None:
        """Let a daemon thread drive from now on."""
        started = threading.Event()
        self.thread = threading.Thread(
            target=self._run_in_thread, args=(started,), name="actors", daemon=True
        )
        self.thread.start()
        started.wait()

    def _run_in_thread(self, started: threading.Event) -> None:
        with self._drive():
            started.set()
            self._run()

    @contextmanager
    def _drive(self) -> Iterator[None]:
        self.refuse_to_wait()
        with self._driving:
            self._driver = threading.get_ident()
            yield

    def _run(self) -> None:
        while not self._stopping and not self.closed:
            self._turn()
            # Idle with a virtual clock and no timer: only another thread can bring news.
            if not self.mailbox and not self.closed and not self._pass_time(None):
                self._sleep(None)

    def _turn(self) -> int:
        """Fire what is due, then deliver one batch. Returns how many messages were handled."""
        self.turns += 1
        if self._held_back and self.mailbox:
            self._held_back -= 1
        elif self.timer_heap:
            fired = 0
            due = self.timer_heap.pop_due(self.clock.monotonic())
            for _, _, cell, period, payload in islice(due, _TIMERS):
                fired += 1
                self.mailbox.append((cell, cell, WakeupMessage(period, payload)))
            self._held_back = _PATIENCE if fired == _TIMERS else 0
        handled = self._deliver(min(len(self.mailbox), _BATCH))
        if self._closing and not self.closed and (self.all_gone() or not self.mailbox):
            self.end()
        return handled

    def _deliver(self, count: int) -> int:
        next_envelope = self.mailbox.popleft
        for handled in range(count):
            try:
                receiver, sender, message = next_envelope()
            except IndexError:  # a crash has emptied it
                return handled
            actor = receiver.actor
            if actor is None:
                self.undeliverable(receiver, sender, message)
            elif isinstance(message, ActorSystemMessage):
                self.deliver_system(receiver, sender, message)
            else:
                try:
                    actor.receiveMessage(message, sender)
                except Exception:
                    self.retry(receiver, sender, message)
                except SystemExit:
                    self.quit(receiver)
        return count

    def _pass_time(self, deadline: float | None) -> bool:
        """Wait for the next thing to happen; False if that is the deadline, or nothing at all."""
        virtual = self._virtual
        if virtual is None:
            self._sleep(deadline)
            return deadline is None or self.clock.monotonic() < deadline
        due = self.timer_heap.next_due()
        if due is not None and (deadline is None or due <= deadline):
            virtual.jump_to(due)
            return True
        if deadline is not None:
            virtual.jump_to(deadline)
        return False

    def _sleep(self, deadline: float | None) -> None:
        """Block, without polling, until a message, a timer, a stop or the deadline."""
        while self._settlers:
            self._settlers.pop().set()
        ends = [end for end in (self.timer_heap.next_due(), deadline) if end is not None]
        timeout = None
        if ends:
            timeout = min(ends) - self.clock.monotonic()
            if timeout <= 0:
                return
            timeout = min(timeout, threading.TIMEOUT_MAX)
        self.asleep = True
        try:
            # Looked at only now: a sender appends first and looks at `asleep` second, so that one
            # of the two always sees the other.
            if not (self.mailbox or self._stopping or self._closing or self._settlers):
                self._wakes.get(timeout=timeout)
            while not self._wakes.empty():
                self._wakes.get_nowait()
        except Empty:
            pass
        finally:
            self.asleep = False

    def _timer_due(self) -> bool:
        due = self.timer_heap.next_due()
        return due is not None and due <= self.clock.monotonic()
