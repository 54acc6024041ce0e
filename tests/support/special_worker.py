"""A worker like that of `order-sagas start`, with failures that have no setting.

python -m tests.support.special_worker [--die POINT COUNT] [--silent PARTICIPANT ...]
"""

import argparse
import os
import signal
import sys
from collections import Counter
from queue import SimpleQueue
from typing import Any

import attrs
from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.logs import configure_logging
from order_sagas.system.logs.log_file_slot import own_slot
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import load_settings


def with_silent(participants: list[str]) -> Saga[Any]:
    """Return the business process with participants that never confirm a compensation."""
    steps = [
        step.changed(undone=None) if step.to.name in participants else step
        for step in PLACE_ORDER.rows
    ]
    return attrs.evolve(PLACE_ORDER, steps=steps)


def main() -> int:
    """Run until a stop is requested, or until the planned crash."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--die", nargs=2, default=("", "0"), metavar=("POINT", "COUNT"))
    parser.add_argument("--silent", nargs="+", default=[], metavar="PARTICIPANT")
    options = parser.parse_args()
    point, count = options.die[0], int(options.die[1])
    passed: Counter[str] = Counter()

    def watch(where: str) -> None:
        passed[where] += 1
        if (where, passed[where]) == (point, count):
            os.kill(os.getpid(), signal.SIGKILL)

    settings, _ = load_settings({}, os.environ)
    clock, ended = SystemClock(), SimpleQueue[int]()
    sink = configure_logging(settings, clock, worker=own_slot(settings.log_dir), console=sys.stderr)
    parts = Parts(
        settings=settings,
        sagas=[with_silent(options.silent)],
        clock=clock,
        flush=sink.flush,
        watch=watch,
    )
    actors = ActorSystem(EventLoopBase(clock), transientUnique=True)
    running = start(parts, actors, lambda _: ended.put(1))
    signal.signal(signal.SIGTERM, lambda *_: ended.put(0))
    running.report()  # it is connected then, and has made the tables
    print("order-sagas is running", flush=True)
    code = ended.get()
    return code or int(not running.stop())


if __name__ == "__main__":
    sys.exit(main())
