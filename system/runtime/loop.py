"""The event loop: delivers messages, fires timers, and sleeps when there is nothing to do."""

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

# Messages in a batch; due timers are checked between batches.
_BATCH = 512
# Timers that fire at a time. If more are due, the messages that result from these are delivered
# first, for at most _PATIENCE batches. So a hundred thousand timers that are due together do not
# delay all other messages.
_TIMERS = 512
_PATIENCE = 16


class EventLoop:
    """Delivers messages and fires timers, one at a time, in one thread.

    If `threaded`, this is a daemon thread of its own. Otherwise it is the driving thread: the one
    that created the loop, or the last to call one of the `run_...` methods.
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
        """Number of further turns in which messages have priority over due timers."""
        self.asleep = False
        self.closed = False
        self._closing = False
        self._stopping = False
        self._threaded = threaded
        self.thread: threading.Thread | None = None
        self._driver = threading.get_ident()
        self._driving = threading.Lock()
        # A SimpleQueue, because its `put` is safe in signal handlers; an Event's `set` is not.
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._settlers: list[threading.Event] = []

    # Hooks, implemented by subclasses.

    def deliver_system(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Deliver one of Thespian's system messages to a living actor."""
        raise NotImplementedError

    def retry(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Handle an exception of a handler; called inside the `except` block."""
        raise NotImplementedError

    def undeliverable(self, receiver: Cell, sender: Cell, message: Any) -> None:
        """Handle a message whose receiver is dead."""
        raise NotImplementedError

    def quit(self, cell: Cell) -> None:
        """End an actor that called `sys.exit`, its children first."""
        raise NotImplementedError

    def all_gone(self) -> bool:
        """Return True if no actor is left."""
        raise NotImplementedError

    def end(self) -> None:
        """Close the system after every actor has exited."""
        raise NotImplementedError

    # Running the loop.

    def run_forever(self) -> None:
        """Run the actors until `stop`, or until the system shuts down.

        If `stop` was called before, it returns at once. With a virtual clock, time jumps to the
        next timer whenever no message is ready.
        """
        with self._drive():
            self._run()
            self._stopping = False

    def run_until_idle(self) -> int:
        """Deliver all ready messages and fire all due timers; virtual time does not move.

        Returns the number of messages handled.
        """
        handled = 0
        with self._drive():
            while True:
                handled += self._turn()
                if not self.mailbox and not self._timer_due():
                    return handled

    def run_until(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Run the actors until `done()` is true or `seconds` have passed; sleep while idle.

        `done` is called between batches of messages; its last result is returned. With a virtual
        clock, time jumps to the next timer instead of sleeping; without a limit, the call also
        returns when no timer is left.
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
        """Advance virtual time; each timer fires at its due time, followed by its consequences.

        Returns the number of messages handled. Raises ValueError for negative `seconds`, or without
        a VirtualClock.
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
        """Return when the next timer is due, in the clock's monotonic seconds, or None."""
        return self.timer_heap.next_due()

    def stop(self) -> None:
        """End `run_forever` after the current batch. Safe in any thread and signal handler."""
        self._stopping = True
        self._wakes.put(None)

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until the loop is idle, in any thread; return False after `timeout` seconds.

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

    # For senders.

    def wake(self) -> None:
        """Wake the loop if it sleeps."""
        if self.asleep:
            self.asleep = False
            self._wakes.put(None)

    def may_drive(self) -> bool:
        """Return True if this thread has to run the actors, and is not inside one of them."""
        return (
            not self._threaded
            and not self.closed
            and not self._driving.locked()
            and self._driver == threading.get_ident()
        )

    def running_here(self) -> bool:
        """Return True if called inside an actor."""
        return self._driving.locked() and self._driver == threading.get_ident()

    def refuse_to_wait(self) -> None:
        """Raise ActorSystemFailure inside an actor, where waiting would block the loop."""
        if self.running_here():
            raise ActorSystemFailure("an actor cannot wait: nothing else runs until it returns")

    # Internals.

    def start_thread(self) -> None:
        """Start the daemon thread that runs the loop."""
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
            # Idle, with a virtual clock and no timer: wait for messages of other threads.
            if not self.mailbox and not self.closed and not self._pass_time(None):
                self._sleep(None)

    def _turn(self) -> int:
        """Fire due timers, then deliver one batch. Returns the number of messages handled."""
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
            except IndexError:  # `crash` has emptied the mailbox
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
        """Wait for a message or timer; return False at the deadline, or if nothing is to come."""
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
        """Block, without polling, until there is a message, a due timer, a stop or the deadline."""
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
            # Checked after setting `asleep`: a sender appends first and reads `asleep` second, so
            # that no message is missed.
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
