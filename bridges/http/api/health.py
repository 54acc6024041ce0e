"""Readiness endpoints: `/health/live` and `/health/ready`."""

import asyncio
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.endpoint import Endpoint
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import HealthCheck, Liveness, Readiness
from order_sagas.bridges.http.config import Dependencies
from order_sagas.bridges.http.server.tokens import Role
from order_sagas.bridges.storage.lag import Lag

KEPT = 2.0
"""Seconds for which a readiness result is cached, to limit requests to Kafka and the database."""


class HealthRoutes:
    """Live: the process answers. Ready (200, else 503): new orders can be stored.

    Only callers who may read get the details. The absence of workers, topics that they do not read
    because they were replaced, and the lag of each role are reported but do not affect readiness:
    orders wait in the log.
    """

    def __init__(
        self, dependencies: Dependencies, reader: ReadModel, intake_problem: Callable[[], str]
    ) -> None:
        self._dependencies = dependencies
        self._reader = reader
        self._intake_problem = intake_problem
        self._result = Readiness(ready=False, checks={})
        self._checked_at = float("-inf")
        self._checking = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            Endpoint(
                "GET",
                "/health/live",
                Role.NONE,
                self._live,
                "The process answers",
                {200: Liveness},
                problems=frozenset(),
            ),
            Endpoint(
                "GET",
                "/health/ready",
                Role.NONE,
                self._ready,
                "Orders can be stored",
                {200: Readiness, 503: Readiness},
                problems=frozenset(),
            ),
        ]

    async def _live(self, request: Request) -> Response:
        return answer(Liveness())

    async def _ready(self, request: Request) -> Response:
        async with self._checking:
            now = asyncio.get_running_loop().time()
            if now - self._checked_at > KEPT:
                self._result = await run_in_threadpool(self._check_all)
                self._checked_at = asyncio.get_running_loop().time()
        result = self._result
        if not request.scope["caller"].role & Role.READ:
            result = _without_details(result)
        return answer(result, 200 if result.ready else 503)

    def _check_all(self) -> Readiness:
        checks = {
            "database": _check(self._reader.check),
            "log": _check(self._dependencies.check_log),
            "intake": _check_of(self._intake_problem()),
        }
        ready = all(check.ok for check in checks.values())
        try:
            running = self._dependencies.running()
            checks["workers"] = HealthCheck(
                ok=running > 0,
                detail=f"{running} running" if running else "none runs: orders wait in the log",
            )
            problems = self._dependencies.topic_problems()
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            checks["topics"] = _check_of(f"{problems[0]}{more}" if problems else "")
            checks["lag"] = HealthCheck(ok=True, detail=_lag_text(self._dependencies.lag()))
        except BridgeError as error:
            checks["workers"] = _check_of(str(error))
        return Readiness(ready=ready, checks=checks)


def _check(check: Callable[[], None]) -> HealthCheck:
    try:
        check()
    except BridgeError as error:
        return _check_of(str(error))
    return HealthCheck(ok=True)


def _without_details(result: Readiness) -> Readiness:
    """Return the checks without the error texts, which may name hosts, users and files."""
    checks = {
        name: HealthCheck(ok=check.ok, detail="" if check.ok else "failed")
        for name, check in result.checks.items()
    }
    return Readiness(ready=result.ready, checks=checks)


def _check_of(problem: str) -> HealthCheck:
    return HealthCheck(ok=not problem, detail=problem)


def _lag_text(lag: Lag) -> str:
    """Return the lag of each role as text; a role that was never started is named as such."""
    roles = [
        f"{role} {'never started' if count is None else count}" for role, count in lag.roles.items()
    ]
    return f"records waiting: {', '.join(roles)}" if roles else ""
