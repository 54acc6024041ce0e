"""Threads for requests: one caller cannot take all."""

import threading

import anyio
import pytest

from order_sagas.bridges.http.problems import Problem
from order_sagas.bridges.http.server.request_threads import (
    OF_READER,
    OF_READERS,
    THREADS,
    WAITING,
    RequestThreads,
    in_thread,
)
from order_sagas.bridges.http.server.tokens import Caller, Role

SHOP = Caller("shop", Role.OPERATE)


class Calls:
    """Calls that stay on their threads until `go_on` is set."""

    def __init__(self) -> None:
        self.threads = RequestThreads()
        self.go_on = threading.Event()
        self.running: dict[str, int] = {}
        self.refused: list[tuple[int, str]] = []
        self._counting = threading.Lock()

    def block(self, name: str) -> None:
        with self._counting:
            self.running[name] = self.running.get(name, 0) + 1
        assert self.go_on.wait(30)

    async def ask(self, caller: Caller) -> None:
        self.threads.use_for(caller)
        try:
            await in_thread(self.block, caller.name)
        except Problem as problem:
            self.refused.append((problem.status, problem.headers["Retry-After"]))


async def started(calls: Calls, count: int) -> None:
    """Wait until a number of calls run on threads, and give others a chance to start."""
    with anyio.fail_after(30):
        while sum(calls.running.values()) < count:
            await anyio.lowlevel.checkpoint()
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


def test_a_reader_has_few_threads_and_operators_always_have_some() -> None:
    """All readers together leave some for operators."""
    calls = Calls()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for name in ("r1", "r2", "r3"):
                for _ in range(OF_READER + 3):
                    tasks.start_soon(calls.ask, Caller(name, Role.READ))
            await started(calls, OF_READERS)
            readers = dict(calls.running)
            for _ in range(THREADS):
                tasks.start_soon(calls.ask, SHOP)
            await started(calls, THREADS)
            found.append((readers, calls.running["shop"]))
            calls.go_on.set()

    found: list[tuple[dict[str, int], int]] = []
    anyio.run(main)
    [(readers, operators)] = found

    assert OF_READERS == sum(readers.values())
    assert OF_READER == max(readers.values())
    assert THREADS - OF_READERS == operators
    assert 3 * (OF_READER + 3) == sum(calls.running.values()) - calls.running["shop"]


def test_a_reader_is_refused_if_very_many_of_its_calls_wait() -> None:
    """An operator is not."""
    calls = Calls()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(OF_READER + WAITING + 5):
                tasks.start_soon(calls.ask, Caller("r", Role.READ))
            for _ in range(WAITING + THREADS):
                tasks.start_soon(calls.ask, SHOP)
            await started(calls, THREADS)
            calls.go_on.set()

    anyio.run(main)

    assert [(503, "1")] * 5 == calls.refused
    assert (OF_READER + WAITING, WAITING + THREADS) == (calls.running["r"], calls.running["shop"])


def test_outside_of_a_request_any_thread_is_used() -> None:
    """As for reads of the server itself."""
    with pytest.raises(ZeroDivisionError):
        anyio.run(in_thread, divmod, 1, 0)
