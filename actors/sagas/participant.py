"""Participants of sagas, and the topic of signals."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import attrs


@attrs.frozen
class Participant:
    """A service that takes part in sagas: its name, its topic, and the key of its records.

    `keyed_by` returns the key of a message. The key decides the shard, and so the worker that owns
    the entity. The default is the order id.
    """

    name: str
    topic: str
    keyed_by: Callable[[Any], str] = attrgetter("order_id")


SIGNALS = Participant("signals", topic="saga-signals")
"""Where a `Wait` takes its messages from. It is no service: nothing is sent to it."""

TIMER = Participant("timer", topic="")
"""What a `Delay` waits for: time. It has no topic."""
