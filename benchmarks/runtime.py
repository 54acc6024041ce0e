"""Measures the actor runtime, compared with Thespian's system bases.

    python -m benchmarks.runtime [--json FILE] [--quick]

A cycle is the life of a small saga: its parent creates and starts it; it sets a wakeup and replies;
it gets one more message, replies and exits; the parent gets its ChildActorExited. Parked actors are
created before, each with one timer. Figures are CPU time of all processes, scaled to the reference
machine.
"""

import argparse
import gc
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # no stubs installed
from rich.console import Console
from rich.table import Table
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem, ChildActorExited

from benchmarks.calibration import calibrate, scale
from order_sagas.system.runtime import EventLoopBase

OURS = "EventLoopBase"
IN_FLIGHT = 50
FOREVER = 86_400
PATIENCE = 600


@dataclass(frozen=True)
class Measurement:
    """A figure; `per_cpu_second` and `cpu_us` are scaled to the reference machine."""

    base: str
    what: str
    parked: int
    count: int
    per_cpu_second: float
    cpu_us: float
    wall_seconds: float


@dataclass(frozen=True)
class Cycles:
    """A request to run cycles, some of them concurrently, and report."""

    count: int


@dataclass(frozen=True)
class Park:
    """A request to create parked children."""

    count: int


@dataclass(frozen=True)
class Rally:
    """A request to send a message back and forth."""

    count: int


class Saga(Actor):
    """The child of a cycle."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message."""
        if message == "start":
            self.wakeupAfter(FOREVER)
            self.send(sender, "started")
        elif message == "go on":
            self.send(sender, "done")
            self.send(self.myAddress, ActorExitRequest())


class Sleeper(Actor):
    """A parked saga."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message."""
        if message == "park":
            self.wakeupAfter(FOREVER)


class Echo(Actor):
    """Sends each message back."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message."""
        self.send(sender, message)


class Parent(Actor):
    """Executes a request, and replies when it is done."""

    def __init__(self) -> None:
        self.to_start = self.to_finish = self.rallies = 0
        self.asker: ActorAddress | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message."""
        if message == "started":
            self.send(sender, "go on")
        elif message == "ball":
            self.rallies -= 1
            self.send(*((sender, "ball") if self.rallies else (self.asker, "over")))
        elif isinstance(message, ChildActorExited):
            self.to_finish -= 1
            if self.to_start:
                self._start()
            elif not self.to_finish:
                self.send(self.asker, "over")
        elif isinstance(message, Cycles):
            self.asker = sender
            self.to_start = self.to_finish = message.count
            for _ in range(min(IN_FLIGHT, message.count)):
                self._start()
        elif isinstance(message, Park):
            for _ in range(message.count):
                self.send(self.createActor(Sleeper), "park")
            self.send(sender, "over")
        elif isinstance(message, Rally):
            self.asker, self.rallies = sender, message.count
            self.send(self.createActor(Echo), "ball")

    def _start(self) -> None:
        self.to_start -= 1
        self.send(self.createActor(Saga), "start")


@contextmanager
def running(base: str) -> Iterator[tuple[ActorSystem, ActorAddress]]:
    """Yield a system on the named base, with a `Parent`; it is shut down at the end."""
    silent = {"version": 1, "disable_existing_loggers": False}
    capabilities = {"Admin Port": _free_port()} if base.startswith("multiproc") else None
    system = ActorSystem(
        EventLoopBase(threaded=False) if base == OURS else base,
        capabilities,
        logDefs=silent,
        transientUnique=True,
    )
    try:
        yield system, system.createActor(Parent)
    finally:
        system.shutdown()


def measure(base: str, order: Cycles | Rally, parked: int, factor: float) -> Measurement:
    """Execute a request on a new system with a number of parked actors.

    Raises RuntimeError after ten minutes.
    """
    with running(base) as (system, parent):
        if parked:
            system.ask(parent, Park(parked), PATIENCE)
        # Warm up, so that one-time costs are not measured.
        system.ask(parent, type(order)(min(order.count, 200)), PATIENCE)
        gc.collect()
        wall, cpu = time.perf_counter(), _cpu_seconds(base)
        answer = system.ask(parent, order, PATIENCE)
        wall, cpu = time.perf_counter() - wall, _cpu_seconds(base) - cpu
    if answer != "over":
        raise RuntimeError(f"{base} answered {answer!r} to {order}")
    # A round trip is two messages.
    count = order.count * 2 if isinstance(order, Rally) else order.count
    what = "messages" if isinstance(order, Rally) else "cycles"
    cpu *= factor
    return Measurement(base, what, parked, count, count / cpu, cpu / count * 1e6, wall)


def bytes_per_parked_actor(count: int) -> float:
    """Return the memory of a parked actor: instance, address, timer, and entry in the tree."""
    with running(OURS) as (system, parent):
        system.ask(parent, Park(1000), PATIENCE)
        gc.collect()
        before = _resident_bytes()
        system.ask(parent, Park(count), PATIENCE)
        gc.collect()
        return (_resident_bytes() - before) / count


def compare(factor: float, *, quick: bool = False) -> list[Measurement]:
    """Return all figures: this base at four sizes, Thespian's bases at sizes they can handle."""
    size = 10 if quick else 1
    found = []
    for parked in (0, 1_000, 10_000, 100_000):
        found.append(measure(OURS, Cycles(100_000 // size), parked, factor))
    for parked in (0, 100_000):
        found.append(measure(OURS, Rally(200_000 // size), parked, factor))
    for parked in (0, 200, 1_000):
        found.append(measure("simpleSystemBase", Cycles(500 // size), parked, factor))
    found.append(measure("simpleSystemBase", Rally(5_000 // size), 0, factor))
    found.append(measure("multiprocTCPBase", Cycles(20), 0, factor))
    found.append(measure("multiprocTCPBase", Rally(500 // size), 0, factor))
    return found


def table(measurements: list[Measurement]) -> Table:
    """Format the figures as a table."""
    shown = Table(title="Actor runtime, CPU time scaled to the reference machine")
    for heading in ("base", "what", "parked", "count", "per CPU s", "CPU µs", "wall s"):
        shown.add_column(
            heading, justify="left" if heading in ("base", "what") else "right", no_wrap=True
        )
    for each in measurements:
        shown.add_row(
            each.base,
            each.what,
            f"{each.parked:,}",
            f"{each.count:,}",
            f"{each.per_cpu_second:,.0f}",
            f"{each.cpu_us:,.2f}",
            f"{each.wall_seconds:.2f}",
        )
    return shown


def _cpu_seconds(base: str) -> float:
    """Return the CPU seconds used so far by a system on this base.

    The processes of a multi-process base leave this process tree; they are found by the command
    line, which a fork keeps. Ended processes are included only if their parent waited for them.
    """
    if not base.startswith("multiproc"):
        return time.process_time()
    me = psutil.Process()
    total = 0.0
    for process in psutil.process_iter():
        try:
            if process.cmdline() == me.cmdline() and process.create_time() >= me.create_time():
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Run the benchmark, print the table, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    options = parser.parse_args()
    calibration = calibrate()
    factor = scale(calibration)
    memory = bytes_per_parked_actor(10_000 if options.quick else 100_000)
    measurements = compare(factor, quick=options.quick)
    console = Console()
    console.print(table(measurements))
    console.print(f"A parked actor takes {memory:,.0f} bytes.")
    console.print(
        f"Calibration loop: {calibration:.3f} s here; CPU times are scaled by {factor:.3f}."
    )
    if options.json:
        figures = {
            "calibration_seconds": calibration,
            "bytes_per_parked_actor": memory,
            "measurements": [asdict(each) for each in measurements],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
