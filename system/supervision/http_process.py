"""What the child process that serves HTTP runs."""

from collections.abc import Callable

from system.http import serve_http
from system.supervision.messages import ChildMetrics, ChildStatus, RunHttp


class HttpProcess:
    """Serves as `order-sagas http` does; `on_failure` is called when it cannot go on."""

    def __init__(self, order: RunHttp, on_failure: Callable[[BaseException], None]) -> None:
        self._server = serve_http(order.settings, on_failure, restarts=order.restarts)

    def status(self) -> ChildStatus:
        """Not asked for by the supervisor: the process has a card of its own."""
        return ChildStatus(None, 0.0)

    def metrics(self) -> ChildMetrics:
        """Nothing: they are served at its own address."""
        return ChildMetrics("")

    def stop(self) -> bool:
        """Finish the requests that are under way; returns whether all were answered in time."""
        return self._server.stop()
