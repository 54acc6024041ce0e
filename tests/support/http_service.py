"""Serves HTTP on a database, in a thread of this process or in a separate process."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
from thespian.actors import ActorSystem

from order_sagas.bridges.http import HttpOptions, HttpServer
from order_sagas.bridges.http.server.tokens import hash_of
from order_sagas.system.http import options_of, surroundings_of
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings
from tests.support.cli import COMMAND
from tests.support.ports import free_port, is_listening
from tests.support.waiting import TIMEOUT, wait_until

ORDER = {
    "orderId": "o-1",
    "customerId": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "PEN", "quantity": 2, "unitPrice": 150}],
}
TOKENS = {
    "reader": ("read", "os_read"),
    "shop": ("operate", "os_operate"),
    "web": ("submit", "os_submit"),
    "app": ("submit", "os_submit_2"),
}
"""Role and token, by name."""


def an_order_body(order_id: str = "o-1", **fields: Any) -> dict[str, Any]:
    """Return an order as the body of a request."""
    return {**ORDER, "orderId": order_id, **fields}


def tokens_file(directory: Path) -> Path:
    """Write a file with TOKENS."""
    lines = [
        f'{name} = {{ role = "{role}", sha256 = "{hash_of(token)}" }}\n'
        for name, (role, token) in TOKENS.items()
    ]
    file = directory / "tokens.toml"
    file.write_text("".join(lines))
    return file


@contextmanager
def serving(
    settings: Settings, token: str = "", around: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[httpx.Client]:
    """Yield a client of a server in this process; `around` and `options` override the settings."""
    given: HttpOptions = attrs.evolve(options_of(settings), **{"port": 0, **options})
    surroundings = attrs.evolve(surroundings_of(settings, lambda: None), **(around or {}))
    actors = ActorSystem(EventLoopBase(), transientUnique=True)
    server = HttpServer(surroundings, given, actors)
    server.start()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=server.address, headers=headers, timeout=TIMEOUT) as client:
            yield client
    finally:
        server.stop()


class HttpProcess:
    """Run `order-sagas http` in a separate process."""

    def __init__(self, directory: Path, env: Mapping[str, str], *args: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = directory / f"http-{self.port}.txt"
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [*COMMAND, "http", "--http", f"127.0.0.1:{self.port}", *map(str, args)],
                env=dict(env), stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_until(self._serves, "HTTP to be served")

    def _serves(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"it ended at once: {self.printed}")
        return "is serving" in self.printed and is_listening(self.port)

    @property
    def printed(self) -> str:
        """Return the output so far."""
        return self.output.read_text()

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "HttpProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
