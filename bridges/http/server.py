"""An HTTP server on a thread of its own, beside the actor that takes orders."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import structlog
import uvicorn
import uvloop
from thespian.actors import ActorSystem

from bridges.http.access import Access
from bridges.http.actor import AskWhetherOpen, HttpBridge, ServeHttp, TakesOrders
from bridges.http.app import HttpApp
from bridges.http.desk import OrderDesk
from bridges.http.options import HttpError, HttpOptions, Surroundings
from bridges.http.protocol import LimitedProtocol

_log = structlog.get_logger(__name__)

READERS = 8
"""Threads that read; each may keep a connection to the database."""
GRACE = 10
"""Seconds that requests under way get at the end."""
FLUSH_EVERY = 1.0
"""Seconds that a log line waits for others, at most."""


def _nothing(error: BaseException) -> None:
    return None


class HttpServer:
    """Serves from `start` to `stop`.

    Raises HttpError where it would let everybody in, or where the address cannot be had; and,
    from `start`, where orders have nowhere to go.
    """

    def __init__(
        self,
        around: Surroundings,
        options: HttpOptions,
        actors: ActorSystem,
        on_failure: Callable[[BaseException], Any] = _nothing,
    ) -> None:
        """`on_failure` is told, on the server's thread, why it cannot go on."""
        self._around = around
        self._options = options
        self._access = Access(options)
        self._actors = actors
        self._on_failure = on_failure
        self._socket = _bound(options)
        self.port = int(self._socket.getsockname()[1])
        self._bridge = actors.createActor(HttpBridge)
        self._desk = OrderDesk(self._tell, options.queue)
        self._app = HttpApp(around, options, self._access, self._desk, self._intake_problem)
        self._server = _Server(_config(self._app, options))
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Open the log, and serve."""
        _forward_logs()
        around = self._around
        self._tell(ServeHttp(around.open_log, self._desk.answer, around.flush, self._tell))
        if problem := self._intake_problem():
            self._socket.close()
            raise HttpError(problem)
        if self._access.is_open:
            _log.warning("http.open_to_this_machine", address=self.address)
        self._thread.start()
        self._server.ready.wait()
        _log.info("http.serving", address=self.address)

    def stop(self, timeout: float = GRACE + 5.0) -> bool:
        """Answer what is under way, and end; whether that was done within `timeout` seconds."""
        loop = self._server.loop
        if loop is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._app.end(), loop)
        self._server.should_exit = True
        self._thread.join(timeout)
        self._actors.shutdown()
        self._app.reader.close()
        self._around.flush()
        return not self._thread.is_alive()

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"http://{self._options.host}:{self.port}"

    def _tell(self, message: Any) -> None:
        self._actors.tell(self._bridge, message)

    def _intake_problem(self) -> str:
        with self._actors.private() as context:
            answer = context.ask(self._bridge, AskWhetherOpen(), 30.0)
        return answer.problem if isinstance(answer, TakesOrders) else "the intake does not answer"

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            try:
                _log.exception("http.ended")
            finally:  # even if the line cannot be logged
                self._server.ready.set()
                self._on_failure(error)

    async def _serve(self) -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = READERS
        flushing = asyncio.create_task(self._flush())
        await self._server.serve(sockets=[self._socket])
        flushing.cancel()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            self._around.flush()


class _Server(uvicorn.Server):
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
        head_seconds = options.timeout

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
        raise HttpError(f"{options.host}:{options.port} can't be had: {words}") from None
    return listener


class _Forward(logging.Handler):
    """What uvicorn has to say goes where everything else goes."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.warning("http.server", detail=record.getMessage())


def _forward_logs() -> None:
    logger = logging.getLogger("uvicorn")
    logger.handlers[:] = [_Forward(logging.WARNING)]
    logger.propagate = False
