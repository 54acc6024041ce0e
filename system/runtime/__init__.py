"""The actor runtime: a Thespian system base that runs every actor on one event loop.

    ActorSystem(EventLoopBase(), transientUnique=True)

Actors are ordinary `thespian.actors.Actor` classes, and behave as Thespian documents.
"""

from order_sagas.system.runtime.base import EventLoopBase
from order_sagas.system.runtime.introspection import ActorView, PendingMessage, TimerView
from order_sagas.system.runtime.policies import Fifo, Policy, SeededShuffle
from order_sagas.system.runtime.virtual_clock import VirtualClock

__all__ = [
    "ActorView",
    "EventLoopBase",
    "Fifo",
    "PendingMessage",
    "Policy",
    "SeededShuffle",
    "TimerView",
    "VirtualClock",
]
