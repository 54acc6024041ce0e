"""A parcel carrier with an HTTP API: one label for each idempotency key."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CarrierServer(ThreadingHTTPServer):
    """Sells labels and voids them; refuses parcels with a weight of 0."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.labels: dict[str, str] = {}
        """The order of each label sold, by idempotency key."""
        self.voided: list[str] = []
        """The labels that were made void, once each."""
        self.requests: list[tuple[str, str]] = []
        """Method and idempotency key of each request."""
        self.faults: list[str] = []
        """What goes wrong with the next requests: "before" or "after" the effect, or ""."""

    @property
    def url(self) -> str:
        """The URL that it listens on."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: CarrierServer

    def do_POST(self) -> None:
        """Sell a label."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not body["grams"]:
            return self._answer("POST", 422, "a parcel without weight")
        key = self.headers["Idempotency-Key"]
        return self._answer("POST", 200, {"id": f"L-{key.partition('/')[0]}"}, key, body["address"])

    def do_DELETE(self) -> None:
        """Void a label."""
        self._answer("DELETE", 200, {}, label=self.path.rpartition("/")[2])

    def _answer(
        self, method: str, status: int, body: Any, key: str = "", address: str = "", label: str = ""
    ) -> None:
        server = self.server
        with server.lock:
            server.requests.append((method, self.headers["Idempotency-Key"]))
            fault = server.faults.pop(0) if server.faults else ""
            if fault != "before":
                if key:
                    server.labels.setdefault(key, address)
                if label and label not in server.voided:
                    server.voided.append(label)
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(500 if fault else status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def a_carrier() -> Iterator[CarrierServer]:
    """A carrier that listens on a free port of the loopback interface."""
    server = CarrierServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
