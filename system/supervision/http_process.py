"""The part that a child process for HTTP runs."""

from collections.abc import Callable

from order_sagas.system.http import serve_http
from order_sagas.system.supervision.messages import ChildMetrics, ChildStatus, RunHttp


class HttpProcess:
    """Serves HTTP like `order-sagas http`. `on_failure` is called if it cannot continue."""

    def __init__(self, order: RunHttp, on_failure: Callable[[BaseException], None]) -> None:
        self._server = serve_http(order.settings, on_failure, restarts=order.restarts)

    def status(self) -> ChildStatus:
        """Return an empty status: the supervisor does not query this process."""
        return ChildStatus(None, 0.0)

    def metrics(self) -> ChildMetrics:
        """Return no metrics: they are served at the HTTP address."""
        return ChildMetrics("")

    def stop(self) -> bool:
        """Finish the current requests; return True if all were answered in time."""
        return self._server.stop()
