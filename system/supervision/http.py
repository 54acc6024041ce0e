"""The process that serves HTTP: a Thespian actor beside the workers."""

import os
import signal
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest

from bridges.errors import BridgeError
from system.supervision.messages import Finished, RunHttp, Shutdown
from system.supervision.worker import die_with_the_run, failure_of


class HttpProcess(Actor):
    """Serves as `order-sagas http` does. It heeds its supervisor, and no signals."""

    _server: Any = None
    _run: RunHttp

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, RunHttp):
            self._start(message)
        elif isinstance(message, Shutdown):
            self.send(sender, Finished(self._stop()))
        elif isinstance(message, ActorExitRequest):
            self._stop()

    def _start(self, run: RunHttp) -> None:
        from system.http import serve_http  # what it needs is an extra

        self._run = run
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # the supervisor hears them, and asks us to stop
        die_with_the_run(run.folder)
        try:
            self._server = serve_http(run.settings, self._failed, restarts=run.restarts)
        except (BridgeError, OSError) as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        failure_of(self._run.folder, self._run.number).write_text(
            f"{type(error).__name__}: {error}"
        )
        os._exit(1)

    def _stop(self) -> bool:
        server, self._server = self._server, None
        return server.stop() if server is not None else True
