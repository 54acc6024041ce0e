"""Policies: the order in which ready messages are delivered.

A policy creates the mailbox that all actors of a system share. With one shared queue, instead of
one for each actor, a parked actor needs no queue. Every policy keeps the order of messages from one
sender to one receiver; policies differ in how such pairs interleave.
"""

import random
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

Envelope = tuple[Any, Any, Any]
"""Receiver's cell, sender's cell, message."""


class Mailbox(Protocol):
    """The queue of the event loop. `append` may be called in any thread."""

    def append(self, envelope: Envelope, /) -> None:
        """Add a message that is ready to be delivered."""
        ...

    def popleft(self) -> Envelope:
        """Remove and return the next message to deliver. Raises IndexError if there is none."""
        ...

    def clear(self) -> None:
        """Drop all messages."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Envelope]: ...


class Policy(Protocol):
    """An order of delivery."""

    def mailbox(self) -> Mailbox:
        """Return a new, empty mailbox with this order of delivery."""
        ...


class Fifo:
    """Delivers all messages in the order in which they were sent."""

    def mailbox(self) -> Mailbox:
        """Return a new, empty queue."""
        # A plain deque without a wrapper: this is the hot path.
        return deque()


class SeededShuffle:
    """Draws the (sender, receiver) pair of the next message at random, from a seed.

    It explores the interleavings that a real network could produce; the same seed reproduces the
    same ones.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def mailbox(self) -> Mailbox:
        """Return a new, empty mailbox whose draws begin with the seed."""
        return ShuffledMailbox(random.Random(self.seed))


class ShuffledMailbox:
    """A queue for each (sender, receiver) pair with messages; `popleft` draws a random one."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._queues: dict[tuple[int, int], deque[Envelope]] = {}
        self._ready: list[tuple[int, int]] = []
        self._count = 0

    def append(self, envelope: Envelope, /) -> None:
        """Add a message to the queue of its sender and receiver."""
        # `id` is unique here: a queued envelope keeps both of its cells alive.
        pair = (id(envelope[0]), id(envelope[1]))
        with self._lock:
            queue = self._queues.get(pair)
            if queue is None:
                queue = self._queues[pair] = deque()
                self._ready.append(pair)
            queue.append(envelope)
            self._count += 1

    def popleft(self) -> Envelope:
        """Remove the oldest message of a random pair, and return it. Raises IndexError if empty."""
        with self._lock:
            if not self._ready:
                raise IndexError("pop from an empty mailbox")
            index = int(
                self._rng.random() * len(self._ready)
            )  # takes a third of the time of randrange
            pair = self._ready[index]
            queue = self._queues[pair]
            envelope = queue.popleft()
            self._count -= 1
            if not queue:
                del self._queues[pair]
                # The pair that fills the gap depends only on earlier draws: it is reproducible.
                last = self._ready.pop()
                if index < len(self._ready):
                    self._ready[index] = last
            return envelope

    def clear(self) -> None:
        """Drop all messages."""
        with self._lock:
            self._queues.clear()
            self._ready.clear()
            self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Envelope]:
        with self._lock:
            return iter([envelope for pair in self._ready for envelope in self._queues[pair]])
