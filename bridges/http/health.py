"""Health endpoints: `/health/live` and `/health/ready`."""

import asyncio
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.config import Dependencies
from order_sagas.bridges.http.read_model import Reader
from order_sagas.bridges.http.routing import Endpoint, answer
from order_sagas.bridges.http.schemas import Alive, Health, HealthCheck
from order_sagas.bridges.http.tokens import Role

KEPT = 2.0
"""Seconds for which a readiness result is cached, to limit requests to Kafka and the database."""


class HealthRoutes:
    """Live: the process answers. Ready (200, else 503): new orders can be stored.

    The absence of workers, and topics that they do not read because they were replaced, are
    reported but do not affect readiness: orders wait in the log.
    """

    def __init__(
        self, around: Dependencies, reader: Reader, intake_problem: Callable[[], str]
    ) -> None:
        self._around = around
        self._reader = reader
        self._intake_problem = intake_problem
        self._found = Health(ready=False, checks={})
        self._found_at = float("-inf")
        self._looking = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            Endpoint("GET", "/health/live", Role.NONE, self._live),
            Endpoint("GET", "/health/ready", Role.NONE, self._ready),
        ]

    async def _live(self, request: Request) -> Response:
        return answer(Alive())

    async def _ready(self, request: Request) -> Response:
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._found_at > KEPT:
                self._found = await run_in_threadpool(self._look)
                self._found_at = asyncio.get_running_loop().time()
        return answer(self._found, 200 if self._found.ready else 503)

    def _look(self) -> Health:
        checks = {
            "database": _check(self._reader.check),
            "log": _check(self._around.check_log),
            "intake": _said(self._intake_problem()),
        }
        ready = all(check.ok for check in checks.values())
        try:
            running = self._around.running()
            checks["workers"] = HealthCheck(
                ok=running > 0,
                detail=f"{running} running" if running else "none runs: orders wait in the log",
            )
            problems = self._around.topic_problems()
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            checks["topics"] = _said(f"{problems[0]}{more}" if problems else "")
        except BridgeError as error:
            checks["workers"] = _said(str(error))
        return Health(ready=ready, checks=checks)


def _check(check: Callable[[], None]) -> HealthCheck:
    try:
        check()
    except BridgeError as error:
        return _said(str(error))
    return HealthCheck(ok=True)


def _said(problem: str) -> HealthCheck:
    return HealthCheck(ok=not problem, detail=problem)
