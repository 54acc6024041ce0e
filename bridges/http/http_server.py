"""The HTTP server: uvicorn on its own thread, and the actor that stores orders."""

import asyncio
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import structlog
import uvicorn
import uvloop
from thespian.actors import ActorSystem

from order_sagas.bridges.http.api.intake_actor import (
    AskLogStatus,
    LogStatus,
    OrderIntakeActor,
    StartIntake,
)
from order_sagas.bridges.http.api.pending_orders import PendingOrders
from order_sagas.bridges.http.app import HttpApp
from order_sagas.bridges.http.config import Dependencies, HttpError, HttpOptions
from order_sagas.bridges.http.server.authentication import Access
from order_sagas.bridges.http.server.protocol import LimitedProtocol

_log = structlog.get_logger(__name__)

OWN_THREADS = 4
"""Threads for blocking calls of the server itself, beside those of requests."""
GRACE = 10
"""Seconds in which running requests may finish during shutdown."""
REPEAT_AFTER = 10.0
"""Seconds in which a message of the server library is logged once."""
MOST_TEXTS = 100
"""Number of different messages that are remembered."""
FLUSH_EVERY = 1.0
"""Maximum seconds that a log line stays buffered."""


def _no_op(error: BaseException) -> None:
    return None


class HttpServer:
    """Serves HTTP between `start` and `stop`.

    The constructor binds the address. It raises NoTokensError if the address is public and no
    tokens are set, and HttpError if the address cannot be bound.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        options: HttpOptions,
        actors: ActorSystem,
        on_failure: Callable[[BaseException], Any] = _no_op,
    ) -> None:
        """Bind the address. `on_failure` is called on the server's thread if serving fails."""
        self._dependencies = dependencies
        self._options = options
        self._access = Access(options)
        self._actors = actors
        self._on_failure = on_failure
        self._socket = _bound(options)
        self.port = int(self._socket.getsockname()[1])
        self._bridge = actors.createActor(OrderIntakeActor)
        self._pending = PendingOrders(self._tell, options.queue)
        self._app = HttpApp(
            dependencies,
            options,
            self._access,
            self._pending,
            self._intake_problem,
        )
        self._server = _Server(_config(self._app, options))
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Open the log, and serve. Returns when requests are accepted.

        Raises HttpError if the log cannot be opened.
        """
        _forward_logs()
        dependencies = self._dependencies
        self._tell(
            StartIntake(dependencies.open_log, self._pending.answer, dependencies.flush, self._tell)
        )
        if problem := self._intake_problem():
            self._socket.close()
            raise HttpError(problem)
        if self._access.is_open:
            _log.warning("http.open_to_this_machine", address=self.address)
        self._thread.start()
        self._server.ready.wait()
        _log.info("http.serving", address=self.address)

    def stop(self, timeout: float = GRACE + 5.0) -> bool:
        """Finish running requests and stop. Returns False if `timeout` seconds were too few."""
        loop = self._server.loop
        if loop is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._app.end(), loop)
        self._server.should_exit = True
        self._thread.join(timeout)
        self._actors.shutdown()
        self._app.reader.close()
        self._dependencies.flush()
        return not self._thread.is_alive()

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://{self._options.host}:{self.port}"

    def _tell(self, message: Any) -> None:
        self._actors.tell(self._bridge, message)

    def _intake_problem(self) -> str:
        with self._actors.private() as context:
            answer = context.ask(self._bridge, AskLogStatus(), 30.0)
        return answer.problem if isinstance(answer, LogStatus) else "the intake does not answer"

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            try:
                _log.exception("http.ended")
            finally:  # also if logging fails
                self._server.ready.set()
                self._on_failure(error)

    async def _serve(self) -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = OWN_THREADS
        flushing = asyncio.create_task(self._flush())
        await self._server.serve(sockets=[self._socket])
        flushing.cancel()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            self._dependencies.flush()


class _Server(uvicorn.Server):
    """A uvicorn server that exposes its event loop, and sets `ready` when it accepts requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()


def _config(app: HttpApp, options: HttpOptions) -> uvicorn.Config:
    class Protocol(LimitedProtocol):
        most_connections = options.connections
        most_of_address = options.connections_of_address
        head_seconds = options.timeout
        body_seconds = options.timeout + 1.0  # read_body answers first
        most_ignored = options.max_body

    return uvicorn.Config(
        app.asgi,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(options.timeout)),
        timeout_graceful_shutdown=GRACE,
    )


def _bound(options: HttpOptions) -> socket.socket:
    host = options.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, options.port))
    except OSError as error:
        listener.close()
        words = error.strerror or error
        raise HttpError(f"can't listen on {options.host}:{options.port}: {words}") from None
    return listener


class _Forward(logging.Handler):
    """Forwards uvicorn's log records to structlog, each text once in REPEAT_AFTER seconds.

    A client that sends no HTTP makes one for each attempt.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._logged: dict[str, float] = {}
        self._left_out: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        text, now = record.getMessage(), time.monotonic()
        if now - self._logged.get(text, -REPEAT_AFTER) < REPEAT_AFTER:
            self._left_out[text] += 1
            return
        if len(self._logged) >= MOST_TEXTS:
            self._logged.clear()
            self._left_out.clear()
        self._logged[text] = now
        _log.warning("http.server", detail=text, left_out=self._left_out.pop(text, 0))


def _forward_logs() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers[:] = [_Forward()]
    logger.propagate = False
