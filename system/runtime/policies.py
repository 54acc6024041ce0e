"""In which order ready messages are delivered: one policy, injected.

A policy makes the mailbox that all actors of a system share. One shared queue rather than one for
each actor is what lets a parked actor cost no queue at all. Every policy keeps the order of the
messages from one sender to one receiver; they differ in how such pairs interleave.
"""

import random
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

Envelope = tuple[Any, Any, Any]
"""Receiver's cell, sender's cell, message."""


class Mailbox(Protocol):
    """What the event loop needs of a queue; `append` may be called from any thread."""

    def append(self, envelope: Envelope, /) -> None:
        """Add a message that is ready to be delivered."""
        ...

    def popleft(self) -> Envelope:
        """Take the message to deliver next. Raises IndexError if there is none."""
        ...

    def clear(self) -> None:
        """Drop everything."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Envelope]: ...


class Policy(Protocol):
    """An order of delivery."""

    def mailbox(self) -> Mailbox:
        """A new, empty mailbox that follows this policy."""
        ...


class Fifo:
    """Messages are delivered in the order in which they were sent, whoever sent them."""

    def mailbox(self) -> Mailbox:
        # Nothing of ours stands between the loop and the deque: this is the hot path.
        return deque()


class SeededShuffle:
    """Whose message comes next is drawn at random, from a seed.

    It explores the interleavings that a real network could produce, and explores the same ones
    again when given the same seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def mailbox(self) -> Mailbox:
        return ShuffledMailbox(random.Random(self.seed))


class ShuffledMailbox:
    """A queue for each (sender, receiver) pair that has messages, drawn from at random."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lock = threading.Lock()
        self._queues: dict[tuple[int, int], deque[Envelope]] = {}
        self._ready: list[tuple[int, int]] = []
        self._count = 0

    def append(self, envelope: Envelope, /) -> None:
        # Identity is enough for a key: a queued envelope keeps both of its cells alive.
        pair = (id(envelope[0]), id(envelope[1]))
        with self._lock:
            queue = self._queues.get(pair)
            if queue is None:
                queue = self._queues[pair] = deque()
                self._ready.append(pair)
            queue.append(envelope)
            self._count += 1

    def popleft(self) -> Envelope:
        with self._lock:
            if not self._ready:
                raise IndexError("pop from an empty mailbox")
            index = int(self._rng.random() * len(self._ready))  # a third of what randrange takes
            pair = self._ready[index]
            queue = self._queues[pair]
            envelope = queue.popleft()
            self._count -= 1
            if not queue:
                del self._queues[pair]
                # Which pair fills the gap depends on nothing but earlier draws, so it is replayed.
                last = self._ready.pop()
                if index < len(self._ready):
                    self._ready[index] = last
            return envelope

    def clear(self) -> None:
        with self._lock:
            self._queues.clear()
            self._ready.clear()
            self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Envelope]:
        with self._lock:
            return iter([envelope for pair in self._ready for envelope in self._queues[pair]])
